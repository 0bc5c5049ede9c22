/* Depthwise Conv1D for AVX-512 VNNI: 64 channels at a time, four taps a product. */
#ifndef EDGECNN_DEPTHWISE1D_VNNI_H
#define EDGECNN_DEPTHWISE1D_VNNI_H

#include "edgecnn_patch.h"
#include "edgecnn_vnni.h"

/* Of a channel's taps, so many times four have their weights in registers. */
#define EDGECNN_VNNI_QUADS 2

/* Copy one row of `channels` int8 as uint8 by adding 128, in whole blocks of 64. With vectors, the words of a block are
 * transposed, so that interleaving the bytes of four rows gives sixteen channels in order. */
EDGECNN_INLINE void edgecnn_vnni_copy_row(uint8_t *to, const int8_t *from, int channels) {
#if EDGECNN_HAS_VNNI
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (int c = 0; c < channels; c += 64) {
        const int rest = channels - c;
        const __m512i bytes = rest >= 64 ? _mm512_loadu_si512((const void *)(from + c))
                                         : _mm512_maskz_loadu_epi8(edgecnn_vnni_mask(rest), from + c);
        const __m512i moved = _mm512_permutexvar_epi32(order, bytes);
        _mm512_storeu_si512((void *)(to + c), _mm512_xor_si512(moved, _mm512_set1_epi8((char)-128)));
    }
#else
    for (int c = 0; c < (channels + 63) / 64 * 64; ++c)
        to[c] = (uint8_t)(c < channels ? from[c] ^ -128 : 0);
#endif
}

/* Sums of one or two times sixteen channels += products of four rows; the channels are the lower half of 64 or the
 * upper. w: the weights of the vectors. */
EDGECNN_INLINE void edgecnn_vnni_add_rows(edgecnn_v16 *sums, int vectors, int upper, const uint8_t *x0,
                                          const uint8_t *x1, const uint8_t *x2, const uint8_t *x3,
                                          const edgecnn_v16_weights *w) {
#if EDGECNN_HAS_VNNI
    const __m512i a = _mm512_loadu_si512((const void *)x0), b = _mm512_loadu_si512((const void *)x1);
    const __m512i c = _mm512_loadu_si512((const void *)x2), d = _mm512_loadu_si512((const void *)x3);
    const __m512i p = upper ? _mm512_unpackhi_epi8(a, b) : _mm512_unpacklo_epi8(a, b);
    const __m512i q = upper ? _mm512_unpackhi_epi8(c, d) : _mm512_unpacklo_epi8(c, d);
    sums[0] = edgecnn_v16_dot(sums[0], _mm512_unpacklo_epi16(p, q), w[0]);
    if (vectors > 1)
        sums[1] = edgecnn_v16_dot(sums[1], _mm512_unpackhi_epi16(p, q), w[1]);
#else
    for (int n = 0; n < vectors; ++n)
        for (int i = 0; i < 16; ++i) {
            const int at = 32 * upper + 16 * n + i;
            sums[n].lane[i] +=
                x0[at] * w[n][4 * i] + x1[at] * w[n][4 * i + 1] + x2[at] * w[n][4 * i + 2] + x3[at] * w[n][4 * i + 3];
        }
#endif
}

/* Constants of one or two times sixteen channels, which stay in registers over all rows. */
typedef struct {
    edgecnn_v16 start[2];
    edgecnn_v16_weights weights[2 * EDGECNN_VNNI_QUADS];
    edgecnn_vnni_table table[2];
} edgecnn_vnni_lanes;

/* Output rows `row` and, of two, the next; x: the copy from the block's channels on, w: the block's weights. */
EDGECNN_INLINE void edgecnn_vnni_depthwise_rows(const edgecnn_window *window,
                                                const edgecnn_requantization *requantization,
                                                const edgecnn_vnni_lanes *lanes, const uint8_t *x, int pitch,
                                                const int8_t *w, int upper, int vectors, int row, int rows, int count,
                                                int8_t *to) {
    const int next = window->dilation * pitch, last = window->kernel - 1;
    /* Three taps are taken as 0, 1, 1, 2: the second pair of a row is the first of the next. */
    const int three = window->kernel == 3;
    edgecnn_v16 sums[4];
    EDGECNN_VNNI_UNROLL(2)
    for (int n = 0; n < rows; ++n) {
        const uint8_t *const from = x + (row + n) * window->stride * pitch;
        edgecnn_v16 *const sum = sums + n * vectors;
        sum[0] = lanes->start[0];
        if (vectors > 1)
            sum[1] = lanes->start[1];
        EDGECNN_VNNI_UNROLL(2)
        for (int k = 0; k < window->kernel; k += 4) {
            const int8_t *const at = w + k * 64;
            edgecnn_v16_weights quad[2];
            if (k < 4 * EDGECNN_VNNI_QUADS) {
                quad[0] = lanes->weights[k / 2];
                quad[1] = lanes->weights[k / 2 + 1];
            } else {
                quad[0] = edgecnn_v16_load_weights(at);
                quad[1] = edgecnn_v16_load_weights(at + 64);
            }
            edgecnn_vnni_add_rows(sum, vectors, upper, from + k * next, from + edgecnn_min(k + 1, last) * next,
                                  from + (three ? 1 : edgecnn_min(k + 2, last)) * next,
                                  from + edgecnn_min(k + 3, last) * next, quad);
        }
    }
    EDGECNN_VNNI_UNROLL(4)
    for (int n = 0; n < rows * vectors; ++n)
        sums[n] = edgecnn_vnni_requantize(requantization, sums[n], &lanes->table[n % vectors]);
    edgecnn_v16_write_pair(requantization, sums, vectors, rows, count, window->out, to);
}

/* All rows of up to 32 channels from c on, the lower or upper half of a block; x: the copy, a row of which takes
 * `pitch` bytes; weights: those of the block's half. */
EDGECNN_INLINE void edgecnn_vnni_depthwise(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const uint8_t *x, int pitch, const int8_t *weights, const int32_t *start,
                                           int c, int upper, int vectors, int8_t *output) {
    const int count = edgecnn_min(window->out - c, 32), words = edgecnn_vnni_words(requantization);
    const int8_t *w = weights;
    edgecnn_vnni_lanes lanes;
    int row = 0;
    EDGECNN_VNNI_UNROLL(2)
    for (int n = 0; n < 2; ++n) {
        const int at = n < vectors ? n : 0;
        lanes.start[n] = edgecnn_v16_load(start + c + 16 * at);
        lanes.table[n] = edgecnn_vnni_load_table(requantization, requantization->table + (c / 16 + at) * words);
        EDGECNN_VNNI_UNROLL(2)
        for (int q = 0; q < EDGECNN_VNNI_QUADS; ++q)
            lanes.weights[2 * q + n] = edgecnn_v16_load_weights(w + (4 * q < window->kernel ? q : 0) * 256 + 64 * at);
    }
    x += c - 32 * upper;
    for (; row + 2 <= window->rows; row += 2)
        edgecnn_vnni_depthwise_rows(window, requantization, &lanes, x, pitch, w, upper, vectors, row, 2, count,
                                    output + row * window->out + c);
    if (window->rows % 2)
        edgecnn_vnni_depthwise_rows(window, requantization, &lanes, x, pitch, w, upper, vectors, row, 1, count,
                                    output + row * window->out + c);
}

/* Input (length, channels), output (rows, channels), int8 and row-major. weights: for each 64 channels (with zeros up
 * to 64), for each four taps (with zeros up to four; three taps as 0, 1, none, 2), 64 x 4 bytes. start: -128 times the
 * sum of each channel's weights, since inputs are made unsigned by adding 128. Tables of the requantization are by
 * columns of 16; channels up to a multiple of 64 have entries. `scratch`: rows of the input with its padding, each up
 * to a multiple of 64 bytes. The output may overlap the input: everything is copied first. */
EDGECNN_KERNEL void edgecnn_depthwise1d_vnni(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                             const int8_t *input, const int8_t *weights, const int32_t *start,
                                             int8_t *output, int8_t *scratch) {
    uint8_t *const x = (uint8_t *)scratch;
    const int last = (window->rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = edgecnn_max(last, window->length + window->pad_before);
    const int end = window->pad_before + window->length;
    const int pitch = (window->in + 63) / 64 * 64, quads = (window->kernel + 3) / 4;
    const uint8_t zero = (uint8_t)(window->zero_point + 128);
    int c = 0;
    edgecnn_vnni_fill(x, zero, window->pad_before * pitch);
    for (int row = 0; row < window->length; ++row)
        edgecnn_vnni_copy_row(x + (window->pad_before + row) * pitch, input + row * window->in, window->in);
    edgecnn_vnni_fill(x + end * pitch, zero, (total - end) * pitch);
    for (; c + 64 <= window->out; c += 64) {
        const int8_t *const w = weights + c * quads * 4;
        edgecnn_vnni_depthwise(window, requantization, x, pitch, w, start, c, 0, 2, output);
        edgecnn_vnni_depthwise(window, requantization, x, pitch, w + 128, start, c + 32, 1, 2, output);
    }
    if (c < window->out) {
        const int8_t *const w = weights + c * quads * 4;
        const int rest = window->out - c;
        edgecnn_vnni_depthwise(window, requantization, x, pitch, w, start, c, 0, rest > 16 ? 2 : 1, output);
        if (rest > 32)
            edgecnn_vnni_depthwise(window, requantization, x, pitch, w + 128, start, c + 32, 1, rest > 48 ? 2 : 1,
                                   output);
    }
}

#endif
