/* Depthwise Conv1D for AVX2: sixteen or eight channels at a time, two taps a product. */
#ifndef EDGECNN_DEPTHWISE1D_AVX2_H
#define EDGECNN_DEPTHWISE1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

/* Sums of `groups` (1 or 2) times eight channels += products of two rows; w: groups x 8 x 2 bytes. */
EDGECNN_INLINE void edgecnn_avx2_add_rows(edgecnn_v8 *sums, int groups, const int8_t *x0, const int8_t *x1,
                                          const int8_t *w) {
#if EDGECNN_HAS_AVX2
    if (groups > 1) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)x0);
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)x1);
        const __m256i low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
        const __m256i high = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
        sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(low, edgecnn_v8_load_weights(w)));
        sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(high, edgecnn_v8_load_weights(w + 16)));
    } else {
        const __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)x0);
        const __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)x1);
        const __m256i low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
        sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(low, edgecnn_v8_load_weights(w)));
    }
#else
    for (int i = 0; i < 8 * groups; ++i)
        sums[i / 8].lane[i % 8] += x0[i] * w[2 * i] + x1[i] * w[2 * i + 1];
#endif
}

/* One row of `groups` times eight channels from c on. */
EDGECNN_INLINE void edgecnn_avx2_depthwise(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const int8_t *input, const int8_t *padding, const int8_t *weights, int row,
                                           int c, int groups, int8_t *output) {
    const int from = row * window->stride - window->pad_before;
    const int pairs = (window->kernel + 1) / 2;
    edgecnn_v8 sums[2];
    sums[0] = sums[1] = edgecnn_v8_zero();
    EDGECNN_UNROLL(8)
    for (int k = 0; k < pairs; ++k) {
        /* An odd last tap meets a weight of zero. */
        const int at = from + 2 * k * window->dilation;
        const int next = 2 * k + 1 < window->kernel ? at + window->dilation : at;
        const int inside = window->direct || (at >= 0 && at < window->length);
        const int next_inside = window->direct || (next >= 0 && next < window->length);
        const int8_t *x0 = inside ? input + at * window->in + c : padding;
        const int8_t *x1 = next_inside ? input + next * window->in + c : padding;
        edgecnn_avx2_add_rows(sums, groups, x0, x1, weights + k * 2 * window->out + 2 * c);
    }
    edgecnn_v8_store(requantization, c, sums, groups, 8 * groups, 0, output + row * window->out + c);
}

/* Input (length, channels), output (rows, channels), int8 and row-major; channels are a multiple of 8. weights: for
 * each two taps (with zeros up to two), channels x 2 bytes. Tables of the requantization are by columns of 8. The
 * output may lie below the input in memory, clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_depthwise1d_avx2(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                             const int8_t *input, const int8_t *weights, int8_t *output) {
    int8_t padding[16];
    edgecnn_fill(padding, window->zero_point, 16);
    for (int row = 0; row < window->rows; ++row) {
        int c = 0;
        for (; c + 16 <= window->out; c += 16)
            edgecnn_avx2_depthwise(window, requantization, input, padding, weights, row, c, 2, output);
        if (c < window->out)
            edgecnn_avx2_depthwise(window, requantization, input, padding, weights, row, c, 1, output);
    }
}

#endif
