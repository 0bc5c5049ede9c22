/* Copies of runs of bytes: slices, transposes, paddings, concatenations, rows that stay in memory. */
#ifndef EDGECNN_MOVE_H
#define EDGECNN_MOVE_H

#include "edgecnn_base.h"

/* Copy bytes to a place below `from`, or apart from it, or to the same one. */
EDGECNN_SHARED void edgecnn_move_run(int8_t *to, const int8_t *from, int bytes) {
    const uintptr_t distance = (uintptr_t)from - (uintptr_t)to;
    if (distance >= 16)
        for (; bytes >= 16; bytes -= 16, to += 16, from += 16)
            *(edgecnn_sixteen *)(void *)to = *(const edgecnn_sixteen *)(const void *)from;
    if (distance >= 4)
        for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
            *(edgecnn_four *)(void *)to = *(const edgecnn_four *)(const void *)from;
    if (distance)
        edgecnn_copy(to, from, bytes);
}

/* Copy n0 * n1 * n2 runs of `run` bytes; the strides count bytes and may be negative. The two sides lie apart. */
EDGECNN_KERNEL void edgecnn_move(int n0, int n1, int n2, int run, const int8_t *from, int from0, int from1, int from2,
                                 int8_t *to, int to0, int to1, int to2) {
    for (int i = 0; i < n0; ++i)
        for (int j = 0; j < n1; ++j)
            for (int k = 0; k < n2; ++k) {
                int8_t *const y = to + i * to0 + j * to1 + k * to2;
                const int8_t *const x = from + i * from0 + j * from1 + k * from2;
                if (run >= 16)
                    edgecnn_move_run(y, x, run);
                else
                    edgecnn_copy(y, x, run);
            }
}

#endif
