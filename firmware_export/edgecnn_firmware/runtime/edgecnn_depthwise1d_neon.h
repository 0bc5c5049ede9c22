/* Depthwise Conv1D for NEON of 64-bit Arm: four rows by eight channels at a time. */
#ifndef EDGECNN_DEPTHWISE1D_NEON_H
#define EDGECNN_DEPTHWISE1D_NEON_H

#include "edgecnn_neon.h"

/* `rows` rows (1 to 4) of the eight channels from c on; x: the first row's patch, already at channel c. Nothing is
 * written before all rows are ready, so that weights and table stay in registers. */
EDGECNN_INLINE void edgecnn_neon_depthwise(const edgecnn_window *window, int small,
                                           const edgecnn_requantization *requantization, const int8_t *x,
                                           const int8_t *weights, int c, int rows, int8_t *to) {
    static const int8_t zeros[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    const int in = window->in, tap = window->dilation * in;
    edgecnn_b8 y[EDGECNN_NEON_ROWS];
    EDGECNN_UNROLL(4)
    for (int r = 0; r < rows; ++r) {
        const int8_t *const row = x + r * window->stride * in;
        edgecnn_n8 sums = edgecnn_n8_zero();
        EDGECNN_UNROLL(8)
        for (int k = 0; k < window->kernel; k += 2) {
            const int has_next = k + 1 < window->kernel;
            const int8_t *const x0 = row + k * tap, *const w0 = weights + k * in + c;
            sums =
                edgecnn_n8_add_products(sums, x0, w0, has_next ? x0 + tap : zeros, has_next ? w0 + in : zeros, small);
        }
        y[r] = edgecnn_n8_requantize(requantization, c, sums);
    }
    EDGECNN_UNROLL(4)
    for (int r = 0; r < rows; ++r)
        edgecnn_b8_store(y[r], 8, 0, to + r * in);
}

/* Input (length, in), weights (kernel, in), output (rows, in), int8 and row-major, in a multiple of 8. Tables of the
 * requantization are by columns of 8. `small`: 1 where no weight is -128. `scratch`: (pad_before + length + pad_after)
 * * in bytes, where pad_after makes the last patch whole. The output may overlap the input: everything is copied first.
 */
EDGECNN_KERNEL void edgecnn_depthwise1d_neon(const edgecnn_window *window, int small,
                                             const edgecnn_requantization *requantization, const int8_t *input,
                                             const int8_t *weights, int8_t *output, int8_t *scratch) {
    const int in = window->in, rows = window->rows;
    edgecnn_neon_pad(window, input, rows, 0, scratch);
    for (int c = 0; c < in; c += 8) {
        if (rows < EDGECNN_NEON_ROWS) {
            edgecnn_neon_depthwise(window, small, requantization, scratch + c, weights, c, rows, output + c);
            continue;
        }
        for (int at = 0; at < rows; at += EDGECNN_NEON_ROWS) {
            /* The last block is moved back where it would be short: some rows are then computed twice. */
            const int row = at + EDGECNN_NEON_ROWS > rows ? rows - EDGECNN_NEON_ROWS : at;
            edgecnn_neon_depthwise(window, small, requantization, scratch + row * window->stride * in + c, weights, c,
                                   EDGECNN_NEON_ROWS, output + row * in + c);
        }
    }
}

#endif
