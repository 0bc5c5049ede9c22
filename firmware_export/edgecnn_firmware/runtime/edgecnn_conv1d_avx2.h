/* Conv1D and dense layers for AVX2: the sums of a block of rows by sixteen output channels stay in registers. */
#ifndef EDGECNN_CONV1D_AVX2_H
#define EDGECNN_CONV1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

#define EDGECNN_AVX2_ROWS 4

/* What the rows of a layer are made of: `taps` runs of `run` elements, an even number, `pitch` elements from one to the
 * next; the next row lies `step` elements on. */
typedef struct {
    int taps, run, pitch, step;
} edgecnn_avx2_rows;

/* `rows` rows of the convolution (1 to 4), from `row` on, by `groups` groups (1 or 2) of eight channels from c on:
 * whole pooled rows, or part of one. x: the first row's patch. */
EDGECNN_INLINE void edgecnn_avx2_block(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const edgecnn_avx2_rows *shape, const int16_t *x, const int8_t *weights, int row,
                                       int rows, int c, int groups, int8_t *output) {
    const int group = shape->taps * shape->run * 8;
    const int pool = edgecnn_min(window->pool, rows), count = rows * groups, written = rows / pool;
    const int8_t *w = weights + c / 8 * group;
    int8_t *const to = output + row / window->pool * window->out + c;
    edgecnn_v8 sums[2 * EDGECNN_AVX2_ROWS];
    EDGECNN_UNROLL(8)
    for (int n = 0; n < count; ++n)
        sums[n] = edgecnn_v8_zero();
    for (int k = 0; k < shape->taps; ++k, x += shape->pitch) {
        EDGECNN_UNROLL(1)
        for (int i = 0; i < shape->run; i += 2, w += 16) {
            EDGECNN_UNROLL(8)
            for (int n = 0; n < count; ++n)
                sums[n] = edgecnn_v8_add_pair(sums[n], x + n / groups * shape->step + i,
                                              edgecnn_v8_load_weights(w + n % groups * group));
        }
    }
    if (pool > 1) {
        EDGECNN_UNROLL(8)
        for (int n = 0; n < count; ++n) {
            const int at = n / groups / pool * groups + n % groups;
            sums[at] = n / groups % pool ? edgecnn_v8_max(sums[at], sums[n]) : sums[n];
        }
    }
    EDGECNN_UNROLL(4)
    for (int n = 0; n < written; ++n)
        edgecnn_v8_store(requantization, c, sums + n * groups, groups, edgecnn_min(window->out - c, 8 * groups),
                         row % window->pool != 0, to + n * window->out);
}

/* All rows of `groups` groups of channels. */
EDGECNN_INLINE void edgecnn_avx2_channels(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const edgecnn_avx2_rows *shape, const int16_t *x, const int8_t *weights,
                                          int c, int groups, int8_t *output) {
    const int pool = window->pool, conv_rows = window->rows * pool;
    /* Whole pooled rows, or parts of one, each of which keeps what is there where that is larger. */
    const int span = pool <= EDGECNN_AVX2_ROWS ? conv_rows : pool;
    const int block = pool <= EDGECNN_AVX2_ROWS ? EDGECNN_AVX2_ROWS / pool * pool : EDGECNN_AVX2_ROWS;
    const int rest = span % block;
    for (int first = 0; first < conv_rows; first += span) {
        int row = first;
        for (; row + block <= first + span; row += block)
            edgecnn_avx2_block(window, requantization, shape, x + row * shape->step, weights, row, block, c, groups,
                               output);
        if (rest)
            edgecnn_avx2_block(window, requantization, shape, x + row * shape->step, weights, row, rest, c, groups,
                               output);
    }
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each eight channels (with zeros up to
 * eight), for each tap, for each two input channels (with a zero up to two; taps that are adjacent are one), 8 x 2
 * bytes. Tables of the requantization are by columns of 8. `scratch`: (pad_before + length + pad_after) * in + 2
 * elements of two bytes, where pad_after makes the last patch whole. The output may overlap the input: everything is
 * copied first. */
EDGECNN_KERNEL void edgecnn_conv1d_avx2(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                        const int8_t *input, const int8_t *weights, int8_t *output, int8_t *scratch) {
    int16_t *const x = (int16_t *)(void *)scratch;
    const int conv_rows = window->rows * window->pool;
    const int last = (conv_rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = edgecnn_max(last, window->length + window->pad_before);
    const int before = window->pad_before * window->in, middle = window->length * window->in;
    const int taps = window->dilation == 1 ? 1 : window->kernel;
    const int count = window->dilation == 1 ? window->kernel * window->in : window->in;
    const edgecnn_avx2_rows shape = {taps, (count + 1) / 2 * 2, window->dilation * window->in,
                                     window->stride * window->in};
    int c = 0;
    for (int i = 0; i < before; ++i)
        x[i] = (int16_t)window->zero_point;
    edgecnn_avx2_widen(x + before, input, middle);
    for (int i = before + middle; i < total * window->in + 2; ++i)
        x[i] = (int16_t)window->zero_point;
    for (; c + 8 < window->out; c += 16)
        edgecnn_avx2_channels(window, requantization, &shape, x, weights, c, 2, output);
    if (c < window->out)
        edgecnn_avx2_channels(window, requantization, &shape, x, weights, c, 1, output);
}

#endif
