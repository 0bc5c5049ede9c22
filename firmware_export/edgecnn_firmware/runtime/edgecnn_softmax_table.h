/* Softmax with its exponentials by table. */
#ifndef EDGECNN_SOFTMAX_TABLE_H
#define EDGECNN_SOFTMAX_TABLE_H

#include "edgecnn_softmax.h"

/* edgecnn_softmax; `exponentials`: the exponential, Q0.31, of what lies 0 to 255 below the largest element. */
EDGECNN_KERNEL void edgecnn_softmax_table(int rows, int columns, const int32_t *exponentials, const int8_t *input,
                                          int8_t *output) {
    for (int row = 0; row < rows; ++row, input += columns, output += columns) {
        int32_t largest = -128, sum = 0, reciprocal, shifted;
        int headroom = 0;
        for (int i = 0; i < columns; ++i)
            largest = edgecnn_max(largest, input[i]);
        for (int i = 0; i < columns; ++i)
            sum += edgecnn_rdpot(exponentials[largest - input[i]], 12);
        while (!((uint32_t)sum << headroom & 0x80000000u))
            ++headroom;
        shifted = (int32_t)((uint32_t)sum << headroom ^ 0x80000000u);
        reciprocal = edgecnn_one_over_one_plus(shifted);
        for (int i = 0; i < columns; ++i) {
            const int32_t share = edgecnn_srdhm(reciprocal, exponentials[largest - input[i]]);
            output[i] = (int8_t)edgecnn_min(edgecnn_rdpot(share, 12 - headroom + 23) - 128, 127);
        }
    }
}

#endif
