/* Conv1D for AVX-512 VNNI: up to eight rows by sixteen or thirty-two output channels at a time. */
#ifndef EDGECNN_CONV1D_VNNI_H
#define EDGECNN_CONV1D_VNNI_H

#include "edgecnn_patch.h"
#include "edgecnn_vnni.h"

#define EDGECNN_VNNI_ROWS 8

/* `rows` rows (1 to 8) of two groups of sixteen channels; x points to the first row's patch, the next lies `step`
 * bytes on; `pitch` is the distance of taps, `run` the bytes of one tap rounded up to 4. */
EDGECNN_INLINE void edgecnn_vnni_block(const uint8_t *x, int step, int taps, int pitch, int run, const int8_t *w,
                                       int second, const int32_t *start, int rows, edgecnn_v16 *sums) {
    edgecnn_v16 a[EDGECNN_VNNI_ROWS], b[EDGECNN_VNNI_ROWS];
    const int group = taps * run * 16;
    EDGECNN_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
        a[r] = edgecnn_v16_load(start);
        b[r] = edgecnn_v16_load(start + (second ? 16 : 0));
    }
    for (int k = 0; k < taps; ++k, x += pitch)
        for (int i = 0; i < run; i += 4, w += 64) {
            EDGECNN_UNROLL(8)
            for (int r = 0; r < rows; ++r) {
                a[r] = edgecnn_v16_dot(a[r], x + r * step + i, w);
                if (second) b[r] = edgecnn_v16_dot(b[r], x + r * step + i, w + group);
            }
        }
    EDGECNN_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
        sums[r] = a[r];
        sums[EDGECNN_VNNI_ROWS + r] = b[r];
    }
}

/* Write what a block summed: rows, or maxima of `pool` rows. */
EDGECNN_INLINE void edgecnn_vnni_write(const edgecnn_window *window, const edgecnn_requantization *requantization, int c,
                                       int row, int rows, const edgecnn_v16 *sums, int8_t *output) {
    const int count = window->out - c < 16 ? window->out - c : 16;
    const int pool = window->pool;
    int r = 0;
    while (r < rows) {
        const int first = row + r;
        const int end = (first / pool + 1) * pool - row;
        edgecnn_v16 most = sums[r];
        for (++r; r < rows && r < end; ++r) most = edgecnn_v16_max(most, sums[r]);
        edgecnn_v16_store(requantization, c, most, count, first % pool != 0, output + first / pool * window->out + c);
    }
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each sixteen channels, for each tap, for each
 * four input channels (with zeros up to four where taps are not adjacent), 16 x 4 bytes. start: -128 times the sum of
 * each channel's weights, since inputs are made unsigned by adding 128. Tables of the requantization are by columns of 16.
 * `scratch`: (pad_before + length + pad_after) * in + 4 bytes, where pad_after makes the last patch whole. The output may
 * overlap the input: everything is copied first. */
EDGECNN_KERNEL void edgecnn_conv1d_vnni(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                        const int8_t *input, const int8_t *weights, const int32_t *start, int8_t *output,
                                        int8_t *scratch) {
    uint8_t *const x = (uint8_t *)scratch;
    const int conv_rows = window->rows * window->pool;
    const int last = (conv_rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = last > window->length + window->pad_before ? last : window->length + window->pad_before;
    const int before = window->pad_before * window->in, middle = window->length * window->in;
    /* One run of bytes where the taps of a patch are adjacent. */
    const int taps = window->dilation == 1 ? 1 : window->kernel;
    const int bytes = window->dilation == 1 ? window->kernel * window->in : window->in;
    const int run = (bytes + 3) / 4 * 4, pitch = window->dilation * window->in, step = window->stride * window->in;
    for (int i = 0; i < before; ++i) x[i] = (uint8_t)(window->zero_point + 128);
    for (int i = 0; i < middle; ++i) x[before + i] = (uint8_t)(input[i] ^ -128);
    for (int i = before + middle; i < total * window->in + 4; ++i) x[i] = (uint8_t)(window->zero_point + 128);
    for (int at = 0; at < conv_rows; at += EDGECNN_VNNI_ROWS) {
        /* The last block is moved back where it would be short: some rows are then computed twice. */
        const int few = conv_rows < EDGECNN_VNNI_ROWS;
        const int row = !few && at + EDGECNN_VNNI_ROWS > conv_rows ? conv_rows - EDGECNN_VNNI_ROWS : at;
        const int rows = few ? conv_rows : EDGECNN_VNNI_ROWS;
        const uint8_t *const patch = x + row * step;
        for (int c = 0; c < window->out; c += 32) {
            const int second = window->out - c > 16;
            const int8_t *const w = weights + c * taps * run;
            edgecnn_v16 sums[2 * EDGECNN_VNNI_ROWS];
            edgecnn_vnni_block(patch, step, taps, pitch, run, w, second, start + c, rows, sums);
            edgecnn_vnni_write(window, requantization, c, row, rows, sums, output);
            if (second) edgecnn_vnni_write(window, requantization, c + 16, row, rows, sums + EDGECNN_VNNI_ROWS, output);
        }
    }
}

#endif
