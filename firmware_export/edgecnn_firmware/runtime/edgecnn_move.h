/* Copies of runs of bytes: slices, transposes, paddings, concatenations. */
#ifndef EDGECNN_MOVE_H
#define EDGECNN_MOVE_H

#include "edgecnn_base.h"

/* Copy n0 * n1 * n2 runs of `run` bytes; the strides count bytes and may be negative. The two sides lie apart. */
EDGECNN_KERNEL void edgecnn_move(int n0, int n1, int n2, int run, const int8_t *from, int from0, int from1, int from2,
                                 int8_t *to, int to0, int to1, int to2) {
    for (int i = 0; i < n0; ++i)
        for (int j = 0; j < n1; ++j)
            for (int k = 0; k < n2; ++k)
                edgecnn_copy(to + i * to0 + j * to1 + k * to2, from + i * from0 + j * from1 + k * from2, run);
}

#endif
