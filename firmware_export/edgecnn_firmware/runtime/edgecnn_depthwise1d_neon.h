/* Depthwise Conv1D for NEON of 64-bit Arm: eight channels at a time. */
#ifndef EDGECNN_DEPTHWISE1D_NEON_H
#define EDGECNN_DEPTHWISE1D_NEON_H

#include "edgecnn_neon.h"
#include "edgecnn_patch.h"

/* Input (length, in), weights (kernel, in), output (rows, in), int8 and row-major, in a multiple of 8. Tables of the
 * requantization are by columns of 8. `small`: 1 where no weight is -128. The output may lie below the input in memory,
 * clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_depthwise1d_neon(const edgecnn_window *window, int small,
                                             const edgecnn_requantization *requantization, const int8_t *input,
                                             const int8_t *weights, int8_t *output) {
    static const int8_t zeros[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int8_t padding[8];
    edgecnn_fill(padding, window->zero_point, 8);
    for (int row = 0; row < window->rows; ++row) {
        const int from = row * window->stride - window->pad_before;
        for (int c = 0; c < window->out; c += 8) {
            edgecnn_n8 sums = edgecnn_n8_zero();
            EDGECNN_UNROLL(8)
            for (int k = 0; k < window->kernel; k += 2) {
                const int at = from + k * window->dilation, next = at + window->dilation;
                const int has_next = k + 1 < window->kernel;
                const int inside = window->direct || (at >= 0 && at < window->length);
                const int next_inside = has_next && (window->direct || (next >= 0 && next < window->length));
                const int8_t *x0 = inside ? input + at * window->in + c : padding;
                const int8_t *x1 = next_inside ? input + next * window->in + c : padding;
                const int8_t *w0 = weights + k * window->out + c;
                sums = edgecnn_n8_add_products(sums, x0, w0, x1, has_next ? w0 + window->out : zeros, small);
            }
            edgecnn_n8_store(requantization, c, sums, 8, 0, output + row * window->out + c);
        }
    }
}

#endif
