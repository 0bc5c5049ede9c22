/* Dense layers in plain C99. */
#ifndef EDGECNN_DENSE_H
#define EDGECNN_DENSE_H

#include "edgecnn_requantize.h"

/* Input (rows, in), weights (out, in), output (rows, out), all int8 and row-major. The output lies clear of the input.
 */
EDGECNN_KERNEL void edgecnn_dense(int rows, int in, int out, const edgecnn_requantization *requantization,
                                  const int8_t *input, const int8_t *weights, int8_t *output) {
    for (int row = 0; row < rows; ++row, input += in, output += out) {
        const int8_t *w = weights;
        int c = 0;
        /* Two channels share each input. */
        for (; c + 2 <= out; c += 2, w += 2 * in) {
            int32_t first = 0, second = 0;
            EDGECNN_UNROLL(4)
            for (int i = 0; i < in; ++i) {
                const int32_t x = input[i];
                first += x * w[i];
                second += x * w[in + i];
            }
            output[c] = (int8_t)edgecnn_requantize(requantization, c, first);
            output[c + 1] = (int8_t)edgecnn_requantize(requantization, c + 1, second);
        }
        if (c < out) {
            int32_t sum = 0;
            EDGECNN_UNROLL(4)
            for (int i = 0; i < in; ++i)
                sum += input[i] * w[i];
            output[c] = (int8_t)edgecnn_requantize(requantization, c, sum);
        }
    }
}

#endif
