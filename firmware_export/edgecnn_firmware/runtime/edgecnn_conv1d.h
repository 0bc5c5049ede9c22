/* Conv1D in plain C99: two rows by two output channels at a time. */
#ifndef EDGECNN_CONV1D_H
#define EDGECNN_CONV1D_H

#include "edgecnn_patch.h"
#include "edgecnn_requantize.h"

/* Input (length, in), weights (out, kernel, in), output (rows, out), all int8 and row-major.
 *
 * Two patches are read by two channels' weights, so that each byte loaded is used twice. A pooled row is the maximum of
 * its convolution rows: requantization never falls, so the larger of two sums gives the larger output.
 * `scratch`: 2 * kernel * in bytes, not used (and may be null) where `window->direct`.
 * The output may lie below the input in memory; the generator keeps it clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_conv1d(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                   const int8_t *input, const int8_t *weights, int8_t *output, int8_t *scratch) {
    const int products = window->kernel * window->in;
    const int group = window->pool == 1 ? 2 : window->pool;
    const int conv_rows = window->rows * window->pool;
    for (int first = 0; first < conv_rows; first += group) {
        int8_t *to = output + first / window->pool * window->out;
        for (int pair = 0; pair < group; pair += 2) {
            const int row = first + pair;
            const int has_second = pair + 1 < group && row + 1 < conv_rows;
            const int8_t *x0 = edgecnn_patch(window, input, row, scratch);
            const int8_t *x1 = x0;
            if (has_second)
                x1 = edgecnn_patch(window, input, row + 1, scratch + products);
            for (int c = 0; c < window->out; c += 2) {
                const int has_other = c + 1 < window->out;
                const int8_t *w0 = weights + c * products;
                const int8_t *w1 = has_other ? w0 + products : w0;
                int32_t a00 = 0, a01 = 0, a10 = 0, a11 = 0;
                EDGECNN_UNROLL(8)
                for (int i = 0; i < products; ++i) {
                    a00 += x0[i] * w0[i];
                    a01 += x0[i] * w1[i];
                    a10 += x1[i] * w0[i];
                    a11 += x1[i] * w1[i];
                }
                if (window->pool > 1) {
                    int32_t y0 = edgecnn_requantize(requantization, c, edgecnn_max(a00, a10));
                    to[c] = (int8_t)(pair ? edgecnn_max(to[c], y0) : y0);
                    if (has_other) {
                        int32_t y1 = edgecnn_requantize(requantization, c + 1, edgecnn_max(a01, a11));
                        to[c + 1] = (int8_t)(pair ? edgecnn_max(to[c + 1], y1) : y1);
                    }
                } else {
                    to[c] = (int8_t)edgecnn_requantize(requantization, c, a00);
                    if (has_other)
                        to[c + 1] = (int8_t)edgecnn_requantize(requantization, c + 1, a01);
                    if (has_second) {
                        to[window->out + c] = (int8_t)edgecnn_requantize(requantization, c, a10);
                        if (has_other)
                            to[window->out + c + 1] = (int8_t)edgecnn_requantize(requantization, c + 1, a11);
                    }
                }
            }
        }
    }
}

#endif
