/* Did-you-mean: the Damerau-Levenshtein distance between a misspelt name and the names that exist. */
#include "ir/base/source.h"

#include <string.h>

enum { LONGEST = 64 };                   /* longer names get no suggestion */

static int min(int a, int b) { return a < b ? a : b; }

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b, no part edited twice. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    int row[3][LONGEST + 1];             /* of the prefixes of a, by length modulo 3 */
    for (int j = 0; j <= m; j++) row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3];
        const int *before = row[(i - 1) % 3], *second = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = min(min(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = min(now[j], second[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

const char *suggest(const char *name, const char *const *candidates, int count)
{
    size_t length = strlen(name);
    if (length > LONGEST) return NULL;
    int best = LONGEST, most = (int)length / 3;
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        if (strlen(candidates[i]) > LONGEST) continue;
        int d = distance(name, candidates[i]);
        bool begins_so = length >= 4 && candidates[i][0] == name[0] && candidates[i][1] == name[1];
        if (d > 0 && d < best && d <= most + begins_so) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
