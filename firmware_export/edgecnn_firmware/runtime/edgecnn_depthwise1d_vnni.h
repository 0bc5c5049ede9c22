/* Depthwise Conv1D for AVX-512 VNNI: 64 channels at a time, four taps a product. */
#ifndef EDGECNN_DEPTHWISE1D_VNNI_H
#define EDGECNN_DEPTHWISE1D_VNNI_H

#include "edgecnn_patch.h"
#include "edgecnn_vnni.h"

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

/* Sums of `vectors` times sixteen channels += products of four rows; w: 4 x 16 x 4 bytes. */
EDGECNN_INLINE void edgecnn_vnni_add_rows(edgecnn_v16 *sums, int vectors, const uint8_t *x0, const uint8_t *x1,
                                          const uint8_t *x2, const uint8_t *x3, const int8_t *w) {
#if EDGECNN_HAS_VNNI
    const __m512i a = _mm512_loadu_si512((const void *)x0), b = _mm512_loadu_si512((const void *)x1);
    const __m512i c = _mm512_loadu_si512((const void *)x2), d = _mm512_loadu_si512((const void *)x3);
    const __m512i low0 = _mm512_unpacklo_epi8(a, b), high0 = _mm512_unpackhi_epi8(a, b);
    const __m512i low1 = _mm512_unpacklo_epi8(c, d), high1 = _mm512_unpackhi_epi8(c, d);
    sums[0] = edgecnn_v16_dot(sums[0], _mm512_unpacklo_epi16(low0, low1), edgecnn_v16_load_weights(w));
    if (vectors > 1)
        sums[1] = edgecnn_v16_dot(sums[1], _mm512_unpackhi_epi16(low0, low1), edgecnn_v16_load_weights(w + 64));
    if (vectors > 2)
        sums[2] = edgecnn_v16_dot(sums[2], _mm512_unpacklo_epi16(high0, high1), edgecnn_v16_load_weights(w + 128));
    if (vectors > 3)
        sums[3] = edgecnn_v16_dot(sums[3], _mm512_unpackhi_epi16(high0, high1), edgecnn_v16_load_weights(w + 192));
#else
    for (int i = 0; i < 16 * vectors; ++i)
        sums[i / 16].lane[i % 16] +=
            x0[i] * w[4 * i] + x1[i] * w[4 * i + 1] + x2[i] * w[4 * i + 2] + x3[i] * w[4 * i + 3];
#endif
}

/* All rows of the channels from c on; x: the copy, a row of which takes `pitch` bytes. */
EDGECNN_INLINE void edgecnn_vnni_depthwise(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const uint8_t *x, int pitch, const int8_t *weights, const int32_t *start,
                                           int c, int vectors, int8_t *output) {
    const int count = edgecnn_min(window->out - c, 64);
    const int next = window->dilation * pitch, quads = (window->kernel + 3) / 4;
    /* Three taps are taken as 0, 1, 1, 2: the second pair of a row is the first of the next. */
    const int three = window->kernel == 3;
    for (int row = 0; row < window->rows; ++row) {
        const uint8_t *from = x + row * window->stride * pitch + c;
        const int8_t *w = weights + c * quads * 4;
        edgecnn_v16 sums[4];
        EDGECNN_UNROLL(4)
        for (int n = 0; n < vectors; ++n)
            sums[n] = edgecnn_v16_load(start + c + 16 * n);
        for (int k = 0; k < window->kernel; k += 4, w += 256) {
            const int last = window->kernel - 1;
            edgecnn_vnni_add_rows(sums, vectors, from + k * next, from + edgecnn_min(k + 1, last) * next,
                                  from + (three ? 1 : edgecnn_min(k + 2, last)) * next,
                                  from + edgecnn_min(k + 3, last) * next, w);
        }
        edgecnn_v16_store(requantization, c, 0, 4, sums, vectors, count, 0, output + row * window->out + c);
    }
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
    const int pitch = (window->in + 63) / 64 * 64;
    const uint8_t zero = (uint8_t)(window->zero_point + 128);
    int c = 0;
    edgecnn_vnni_fill(x, zero, window->pad_before * pitch);
    for (int row = 0; row < window->length; ++row)
        edgecnn_vnni_copy_row(x + (window->pad_before + row) * pitch, input + row * window->in, window->in);
    edgecnn_vnni_fill(x + end * pitch, zero, (total - end) * pitch);
    for (; c + 64 <= window->out; c += 64)
        edgecnn_vnni_depthwise(window, requantization, x, pitch, weights, start, c, 4, output);
    if (c < window->out)
        edgecnn_vnni_depthwise(window, requantization, x, pitch, weights, start, c, (window->out - c + 15) / 16,
                               output);
}

#endif
