/* Depthwise Conv1D in plain C99. */
#ifndef EDGECNN_DEPTHWISE1D_H
#define EDGECNN_DEPTHWISE1D_H

#include "edgecnn_patch.h"
#include "edgecnn_requantize.h"

/* Input (length, in), weights (kernel, out), output (rows, out), all int8 and row-major; output channel c reads input
 * channel c / multiplier. The output may lie below the input in memory, clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_depthwise1d(const edgecnn_window *window, int multiplier,
                                        const edgecnn_requantization *requantization, const int8_t *input,
                                        const int8_t *weights, int8_t *output) {
    for (int row = 0; row < window->rows; ++row) {
        const int from = row * window->stride - window->pad_before;
        for (int c = 0; c < window->out; ++c) {
            const int8_t *x = input + c / multiplier;
            int32_t sum = 0;
            for (int k = 0; k < window->kernel; ++k) {
                const int at = from + k * window->dilation;
                const int inside = window->direct || (at >= 0 && at < window->length);
                sum += (inside ? x[at * window->in] : window->zero_point) * weights[k * window->out + c];
            }
            output[row * window->out + c] = (int8_t)edgecnn_requantize(requantization, c, sum);
        }
    }
}

#endif
