/* Dense layers in plain C99. */
#ifndef EDGECNN_DENSE_H
#define EDGECNN_DENSE_H

#include "edgecnn_requantize.h"

/* Input (rows, in), weights (out, in), output (rows, out), all int8 and row-major. The output lies clear of the input.
 */
EDGECNN_KERNEL void edgecnn_dense(int rows, int in, int out, const edgecnn_requantization *requantization,
                                  const int8_t *input, const int8_t *weights, int8_t *output) {
    for (int row = 0; row < rows; ++row) {
        for (int c = 0; c < out; ++c) {
            int32_t sum = 0;
            EDGECNN_UNROLL(4)
            for (int i = 0; i < in; ++i)
                sum += input[row * in + i] * weights[c * in + i];
            output[row * out + c] = (int8_t)edgecnn_requantize(requantization, c, sum);
        }
    }
}

#endif
