/* Conv1D and dense layers for AVX2: the sums of a block of rows by sixteen output channels stay in registers. */
#ifndef EDGECNN_CONV1D_AVX2_H
#define EDGECNN_CONV1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

/* `rows` rows of the convolution (1 to 6), from `row` on, by `channels` channels (1 to 16) from c on: whole pooled
 * rows, or part of one. x: the first row's patch. */
EDGECNN_INLINE void edgecnn_avx2_block(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const edgecnn_avx2_shape *shape, const int16_t *x, const int16_t *weights,
                                       int row, int rows, int c, int channels, int8_t *output) {
    const int pool = edgecnn_min(window->pool, rows), groups = channels > 8 ? 2 : 1;
    int8_t *const to = output + row / window->pool * window->out + c;
    edgecnn_v8 sums[2 * EDGECNN_AVX2_ROWS];
    edgecnn_avx2_sums(shape, x + row * shape->step, weights + c / 8 * shape->group, rows, groups, sums);
    for (int n = 0; n < rows / pool; ++n) {
        edgecnn_v8 *const largest = sums + groups * n * pool;
        for (int i = 1; i < pool; ++i) {
            largest[0] = edgecnn_v8_max(largest[0], largest[groups * i]);
            if (groups > 1)
                largest[1] = edgecnn_v8_max(largest[1], largest[2 * i + 1]);
        }
        edgecnn_v8_store(requantization, c, largest, groups, channels, row % window->pool != 0, to + n * window->out);
    }
}

/* All rows of them. */
EDGECNN_INLINE void edgecnn_avx2_channels(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const edgecnn_avx2_shape *shape, const int16_t *x, const int16_t *weights,
                                          int c, int channels, int8_t *output) {
    const int pool = window->pool, conv_rows = window->rows * pool;
    /* Whole pooled rows, or parts of one, each of which keeps what is there where that is larger. */
    const int span = pool <= EDGECNN_AVX2_ROWS ? conv_rows : pool;
    const int unit = pool <= EDGECNN_AVX2_ROWS ? pool : 1, most = EDGECNN_AVX2_ROWS / unit * unit;
    /* Blocks of one size, and then of one unit less. */
    const int blocks = (span + most - 1) / most, block = (span / unit + blocks - 1) / blocks * unit;
    const int large = span - blocks * (block - unit);
    for (int first = 0; first < conv_rows; first += span) {
        int row = 0;
        for (; row < large / unit * block; row += block)
            edgecnn_avx2_block(window, requantization, shape, x, weights, first + row, block, c, channels, output);
        for (; row < span; row += block - unit)
            edgecnn_avx2_block(window, requantization, shape, x, weights, first + row, block - unit, c, channels,
                               output);
    }
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each eight channels (with zeros up to
 * sixteen), for each tap, for each two input channels (with a zero up to two; taps that are adjacent are one), 8 x 2
 * numbers. Tables of the requantization are by columns of 8. `scratch`: (pad_before + length + pad_after) * in + 2
 * elements of two bytes, where pad_after makes the last patch whole. The output may overlap the input: everything is
 * copied first. */
EDGECNN_KERNEL void edgecnn_conv1d_avx2(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                        const int8_t *input, const int16_t *weights, int8_t *output, int8_t *scratch) {
    int16_t *const x = (int16_t *)(void *)scratch;
    const int conv_rows = window->rows * window->pool;
    const int last = (conv_rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = edgecnn_max(last, window->length + window->pad_before);
    const int before = window->pad_before * window->in, middle = window->length * window->in;
    const int taps = window->dilation == 1 ? 1 : window->kernel;
    const int run = ((window->dilation == 1 ? window->kernel * window->in : window->in) + 1) / 2 * 2;
    const edgecnn_avx2_shape shape = {taps, run, window->dilation * window->in, window->stride * window->in,
                                      8 * taps * run};
    int c = 0;
    for (int i = 0; i < before; ++i)
        x[i] = (int16_t)window->zero_point;
    edgecnn_avx2_widen(x + before, input, middle);
    for (int i = before + middle; i < total * window->in + 2; ++i)
        x[i] = (int16_t)window->zero_point;
    for (; c + 16 <= window->out; c += 16)
        edgecnn_avx2_channels(window, requantization, &shape, x, weights, c, 16, output);
    if (c < window->out)
        edgecnn_avx2_channels(window, requantization, &shape, x, weights, c, window->out - c, output);
}

#endif
