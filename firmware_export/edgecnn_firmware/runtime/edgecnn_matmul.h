/* Products of two computed matrices. */
#ifndef EDGECNN_MATMUL_H
#define EDGECNN_MATMUL_H

#include "edgecnn_requantize.h"

/* (batches, rows, inner) times (batches, columns, inner), the second turned -> (batches, rows, columns): sums of
 * (a - a_zero_point) * (b - b_zero_point), requantized as one channel. */
EDGECNN_KERNEL void edgecnn_matmul(int batches, int rows, int inner, int columns,
                                   const edgecnn_requantization *requantization, int32_t a_zero_point,
                                   int32_t b_zero_point, const int8_t *a, const int8_t *b, int8_t *output) {
    for (int batch = 0; batch < batches; ++batch, b += columns * inner) {
        for (int row = 0; row < rows; ++row, a += inner) {
            for (int column = 0; column < columns; ++column) {
                const int8_t *other = b + column * inner;
                int32_t sum = 0;
                for (int i = 0; i < inner; ++i)
                    sum += (a[i] - a_zero_point) * (other[i] - b_zero_point);
                *output++ = (int8_t)edgecnn_requantize(requantization, 0, sum);
            }
        }
    }
}

#endif
