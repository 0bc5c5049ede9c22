/* Conv1D and dense layers for NEON of 64-bit Arm: four rows by sixteen output channels at a time with the dot product
 * (32 registers hold all sums), by eight without. */
#ifndef EDGECNN_CONV1D_NEON_H
#define EDGECNN_CONV1D_NEON_H

#include "edgecnn_neon.h"

/* What the rows of a layer are made of: `taps` runs of `run` bytes, a multiple of 4, `pitch` bytes from one to the
 * next; the next row lies `step` bytes on. */
typedef struct {
    int taps, run, pitch, step;
} edgecnn_neon_rows;

/* Write what a block summed for eight channels: rows, or maxima of `pool` rows. */
EDGECNN_INLINE void edgecnn_neon_write(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       int c, int row, int rows, const edgecnn_n8 *sums, int8_t *output) {
    const int count = window->out % 8 == 0 ? 8 : window->out - c;
    const int pool = window->pool;
    if (EDGECNN_NEON_ROWS % pool == 0) {
        /* Every block holds whole pools, the one that was moved back too. Nothing is written before all rows are ready,
         * so that the table stays in registers. */
        edgecnn_b8 y[EDGECNN_NEON_ROWS];
        EDGECNN_UNROLL(4)
        for (int r = 0; r < rows; r += pool) {
            edgecnn_n8 most = edgecnn_n8_total(sums[r]);
            EDGECNN_UNROLL(4)
            for (int i = 1; i < pool; ++i)
                most = edgecnn_n8_max(most, edgecnn_n8_total(sums[r + i]));
            y[r] = edgecnn_n8_requantize(requantization, c, most);
        }
        int8_t *to = output + row / pool * window->out + c;
        EDGECNN_UNROLL(4)
        for (int r = 0; r < rows; r += pool, to += window->out)
            edgecnn_b8_store(y[r], count, 0, to);
        return;
    }
    for (int r = 0; r < rows;) {
        const int first = row + r;
        const int end = (first / pool + 1) * pool - row;
        edgecnn_n8 most = edgecnn_n8_total(sums[r]);
        for (++r; r < rows && r < end; ++r)
            most = edgecnn_n8_max(most, edgecnn_n8_total(sums[r]));
        edgecnn_b8_store(edgecnn_n8_requantize(requantization, c, most), count, first % pool != 0,
                         output + first / pool * window->out + c);
    }
}

/* `rows` rows (1 to 4) by the eight channels from c on, or by sixteen where `second`; x: the first row's patch. */
EDGECNN_INLINE void edgecnn_neon_block(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const edgecnn_neon_rows *shape, const int8_t *x, const int8_t *weights,
                                       int small, int c, int second, int row, int rows, int8_t *output) {
    const int group = shape->taps * shape->run * 8;
    const int8_t *w = weights + c / 8 * group;
    edgecnn_n8 a[EDGECNN_NEON_ROWS], b[EDGECNN_NEON_ROWS];
    EDGECNN_UNROLL(4)
    for (int r = 0; r < rows; ++r)
        a[r] = b[r] = edgecnn_n8_zero();
    for (int k = 0; k < shape->taps; ++k, x += shape->pitch) {
        int i = 0;
        for (; i + EDGECNN_NEON_STEP <= shape->run; i += EDGECNN_NEON_STEP, w += 8 * EDGECNN_NEON_STEP) {
            EDGECNN_UNROLL(4)
            for (int r = 0; r < rows; ++r) {
                a[r] = edgecnn_n8_add_step(a[r], x + r * shape->step + i, w, small);
                if (second)
                    b[r] = edgecnn_n8_add_step(b[r], x + r * shape->step + i, w + group, small);
            }
        }
        for (; i < shape->run; i += 4, w += 32) {
            EDGECNN_UNROLL(4)
            for (int r = 0; r < rows; ++r) {
                a[r] = edgecnn_n8_add_quad(a[r], x + r * shape->step + i, w);
                if (second)
                    b[r] = edgecnn_n8_add_quad(b[r], x + r * shape->step + i, w + group);
            }
        }
    }
    edgecnn_neon_write(window, requantization, c, row, rows, a, output);
    if (second)
        edgecnn_neon_write(window, requantization, c + 8, row, rows, b, output);
}

/* All channels of a block of rows. */
EDGECNN_INLINE void edgecnn_neon_channels(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const edgecnn_neon_rows *shape, const int8_t *x, const int8_t *weights,
                                          int small, int row, int rows, int8_t *output) {
    int c = 0;
#if EDGECNN_NEON_EIGHTS == 2
    for (; c + 8 < window->out; c += 16)
        edgecnn_neon_block(window, requantization, shape, x, weights, small, c, 1, row, rows, output);
#endif
    for (; c < window->out; c += 8)
        edgecnn_neon_block(window, requantization, shape, x, weights, small, c, 0, row, rows, output);
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each eight channels (with zeros up to
 * eight), for each tap, for each four input channels (with zeros up to four; taps that are adjacent are one), 8 x 4
 * bytes. Tables of the requantization are by columns of 8. `small`: 1 where no weight is -128. `scratch`: (pad_before +
 * length + pad_after) * in + 4 bytes, where pad_after makes the last patch whole. The output may overlap the input:
 * everything is copied first. */
EDGECNN_KERNEL void edgecnn_conv1d_neon(const edgecnn_window *window, int small,
                                        const edgecnn_requantization *requantization, const int8_t *input,
                                        const int8_t *weights, int8_t *output, int8_t *scratch) {
    const int conv_rows = window->rows * window->pool;
    const int taps = window->dilation == 1 ? 1 : window->kernel;
    const int bytes = window->dilation == 1 ? window->kernel * window->in : window->in;
    const edgecnn_neon_rows shape = {taps, (bytes + 3) / 4 * 4, window->dilation * window->in,
                                     window->stride * window->in};
    edgecnn_neon_pad(window, input, conv_rows, 4, scratch);
    if (conv_rows < EDGECNN_NEON_ROWS) {
        edgecnn_neon_channels(window, requantization, &shape, scratch, weights, small, 0, conv_rows, output);
        return;
    }
    for (int at = 0; at < conv_rows; at += EDGECNN_NEON_ROWS) {
        /* The last block is moved back where it would be short: some rows are then computed twice. */
        const int row = at + EDGECNN_NEON_ROWS > conv_rows ? conv_rows - EDGECNN_NEON_ROWS : at;
        edgecnn_neon_channels(window, requantization, &shape, scratch + row * shape.step, weights, small, row,
                              EDGECNN_NEON_ROWS, output);
    }
}

#endif
