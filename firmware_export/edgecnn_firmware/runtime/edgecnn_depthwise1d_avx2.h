/* Depthwise Conv1D for AVX2: eight channels over all rows, two taps a product. */
#ifndef EDGECNN_DEPTHWISE1D_AVX2_H
#define EDGECNN_DEPTHWISE1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

/* The sums of one row of eight channels; weights: theirs, of all pairs of taps, 2 * pitch numbers apart. */
EDGECNN_INLINE edgecnn_v8 edgecnn_avx2_taps(const edgecnn_window *window, const int8_t *x, int pitch,
                                            const int16_t *weights) {
    const int next = window->dilation * pitch, last = window->kernel - 1;
    edgecnn_v8 sums = edgecnn_v8_zero();
    EDGECNN_UNROLL(4)
    for (int k = 0; k < window->kernel; k += 2) {
        /* An odd last tap meets a weight of zero. */
        const edgecnn_v8 two = edgecnn_v8_load_rows(x + k * next, x + edgecnn_min(k + 1, last) * next);
        sums = edgecnn_v8_add(sums, edgecnn_v8_multiply(two, edgecnn_v8_load_weights(weights + k * pitch)));
    }
    return sums;
}

/* All rows of eight channels from c on. x: the padded rows of these channels, `pitch` bytes apart. */
EDGECNN_INLINE void edgecnn_avx2_depthwise(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const int8_t *x, int pitch, const int16_t *weights, int c, int8_t *output) {
    const int step = window->stride * pitch, out = window->out;
    const edgecnn_v8_table table =
        edgecnn_v8_load_table(requantization, requantization->table + c * edgecnn_v8_words(requantization));
    /* Three adjacent taps: two rows share four rows of inputs, the second with weights one row on. */
    const int three = window->kernel == 3 && window->stride == 1 && window->dilation == 1;
    const edgecnn_v8 w01 = edgecnn_v8_load_weights(weights);
    const edgecnn_v8 w2 = three ? edgecnn_v8_load_weights(weights + 2 * pitch) : w01;
    const edgecnn_v8 w0 = edgecnn_v8_between(edgecnn_v8_zero(), w01), w12 = edgecnn_v8_between(w01, w2);
    edgecnn_v8 first = edgecnn_v8_load_rows(x, x + pitch);
    for (int row = 0; row < window->rows; row += 2, x += 2 * step) {
        const int rows = edgecnn_min(window->rows - row, 2);
        edgecnn_v8 sums[2];
        if (three) {
            const edgecnn_v8 second = edgecnn_v8_load_rows(x + 2 * pitch, x + 3 * pitch);
            sums[0] = edgecnn_v8_add(edgecnn_v8_multiply(first, w01), edgecnn_v8_multiply(second, w2));
            sums[1] = edgecnn_v8_add(edgecnn_v8_multiply(first, w0), edgecnn_v8_multiply(second, w12));
            first = second;
        } else {
            sums[0] = edgecnn_avx2_taps(window, x, pitch, weights);
            sums[1] = rows > 1 ? edgecnn_avx2_taps(window, x + step, pitch, weights) : sums[0];
        }
        edgecnn_v8_store_rows(requantization, &table, sums, rows, out, output + row * out + c);
    }
}

/* Input (length, channels), output (rows, channels), int8 and row-major; channels are a multiple of 8. weights: for
 * each two taps (with zeros up to two), channels (with zeros up to sixteen) x 2 numbers. Tables of the requantization
 * are by columns of 8. `scratch`: rows of the input with its padding and one more, each up to a multiple of 16 bytes.
 * The output may overlap the input: everything is copied first. */
EDGECNN_KERNEL void edgecnn_depthwise1d_avx2(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                             const int8_t *input, const int16_t *weights, int8_t *output,
                                             int8_t *scratch) {
    const int last = (window->rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = edgecnn_max(last, window->length + window->pad_before) + 1;
    const int end = window->pad_before + window->length, pitch = (window->in + 15) / 16 * 16;
    int c = 0;
    edgecnn_fill(scratch, window->zero_point, window->pad_before * pitch);
    if (pitch == window->in)
        edgecnn_copy(scratch + window->pad_before * pitch, input, window->length * pitch);
    else
        for (int row = 0; row < window->length; ++row) {
            int8_t *const to = scratch + (window->pad_before + row) * pitch;
            edgecnn_copy(to, input + row * window->in, window->in);
            edgecnn_fill(to + window->in, 0, pitch - window->in);
        }
    edgecnn_fill(scratch + end * pitch, window->zero_point, (total - end) * pitch);
    for (; c < window->out; c += 8)
        edgecnn_avx2_depthwise(window, requantization, scratch + c, pitch, weights + 2 * c, c, output);
}

#endif
