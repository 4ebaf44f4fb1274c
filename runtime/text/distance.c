/* Edit distance, for suggestions. */
#include "runtime/text/distance.h"

enum { LONGEST = 64 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One row of the table at a time: row[j] is the distance of the first i bytes of a to the first j of b. */
int64_t rt_text_distance(RtText a, RtText b, int64_t enough)
{
    int64_t row[LONGEST + 1] = { 0 };
    if (a.size > LONGEST || b.size > LONGEST || a.size - b.size >= enough || b.size - a.size >= enough) return enough;
    for (int64_t j = 0; j <= b.size; j++) row[j] = j;
    for (int64_t i = 1; i <= a.size; i++) {
        int64_t diagonal = row[0];
        row[0] = i;
        for (int64_t j = 1; j <= b.size; j++) {
            int64_t change = diagonal + (a.bytes[i - 1] != b.bytes[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return least(row[b.size], enough);
}
