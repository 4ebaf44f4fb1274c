/* Calls tiny.o and prints the bits of what it gives, and with SETS which instructions it uses. */
#include <stdio.h>
#include <string.h>

#include "tiny.h"

int main(void)
{
    static _Alignas(64) char param[TINY_PARAM_BYTES], work[TINY_WORK_BYTES];
    static float x[TINY_F_X_COUNT], out[TINY_F_F_COUNT];
    int32_t ids[TINY_F_IDS_COUNT];
    for (int k = 0; k < TINY_F_X_COUNT; k++) x[k] = (float)(k * 37 % 101 - 50) / 17;
    for (int k = 0; k < TINY_F_IDS_COUNT; k++) ids[k] = k % 7;
    int code = tiny_init(TINY_ABI, param, work, 5);
    if (!code) code = tiny_f(TINY_ABI, param, work, x, ids, out, NULL);
    if (code) return fprintf(stderr, "%s\n", tiny_error(code)), 1;
#ifdef SETS
    fprintf(stderr, "set %d\n", tiny_instruction_set());
#endif
    for (int k = 0; k < TINY_F_F_COUNT; k++) {
        uint32_t bits;
        memcpy(&bits, &out[k], sizeof bits);
        printf("%08x\n", (unsigned)bits);
    }
    return 0;
}
