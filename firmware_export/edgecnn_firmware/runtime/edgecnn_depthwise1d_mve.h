/* Depthwise Conv1D for Armv8.1-M MVE: four channels at a time. */
#ifndef EDGECNN_DEPTHWISE1D_MVE_H
#define EDGECNN_DEPTHWISE1D_MVE_H

#include "edgecnn_mve.h"
#include "edgecnn_patch.h"

/* Input (length, in), weights (kernel, in), output (rows, in), int8 and row-major, in a multiple of 4. The output may
 * lie below the input in memory, clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_depthwise1d_mve(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                            const int8_t *input, const int8_t *weights, int8_t *output) {
    const int next = window->dilation * window->in;
    for (int row = 0; row < window->rows; ++row, output += window->out) {
        const int from = row * window->stride - window->pad_before;
        const int last = from + (window->kernel - 1) * window->dilation;
        const int inside = window->direct || (from >= 0 && last < window->length);
        for (int c = 0; c < window->out; c += 4) {
            edgecnn_v4 sums = edgecnn_v4_zero();
            const int8_t *w = weights + c;
            if (inside) {
                const int8_t *x = input + from * window->in + c;
                EDGECNN_UNROLL(8)
                for (int k = 0; k < window->kernel; ++k, x += next, w += window->out)
                    sums = edgecnn_v4_add_products(sums, x, w);
            } else {
                for (int k = 0; k < window->kernel; ++k, w += window->out) {
                    const int at = from + k * window->dilation;
                    if (at >= 0 && at < window->length)
                        sums = edgecnn_v4_add_products(sums, input + at * window->in + c, w);
                    else
                        sums = edgecnn_v4_add_scaled(sums, window->zero_point, w);
                }
            }
            edgecnn_v4_store(requantization, c, sums, 4, 0, output + c);
        }
    }
}

#endif
