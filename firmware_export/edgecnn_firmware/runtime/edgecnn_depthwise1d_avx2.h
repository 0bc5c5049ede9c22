/* Depthwise Conv1D for AVX2: sixteen channels over all rows, two taps a product. */
#ifndef EDGECNN_DEPTHWISE1D_AVX2_H
#define EDGECNN_DEPTHWISE1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

/* Two rows of sixteen channels, next to each other as 16 bits. */
typedef struct {
#if EDGECNN_HAS_AVX2
    __m256i low, high;
#else
    int16_t number[32];
#endif
} edgecnn_avx2_two_rows;

EDGECNN_INLINE edgecnn_avx2_two_rows edgecnn_avx2_load_rows(const int8_t *x0, const int8_t *x1) {
    edgecnn_avx2_two_rows v;
#if EDGECNN_HAS_AVX2
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)x0);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)x1);
    v.low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
    v.high = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
#else
    for (int i = 0; i < 16; ++i) {
        v.number[2 * i] = x0[i];
        v.number[2 * i + 1] = x1[i];
    }
#endif
    return v;
}

/* Sums of sixteen channels += products of two rows; w: 16 x 2 numbers. */
EDGECNN_INLINE void edgecnn_avx2_add_rows(edgecnn_v8 *sums, const edgecnn_avx2_two_rows *x, const int16_t *w) {
#if EDGECNN_HAS_AVX2
    const __m256i *const from = (const __m256i *)(const void *)w;
    sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(x->low, _mm256_loadu_si256(from)));
    sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(x->high, _mm256_loadu_si256(from + 1)));
#else
    for (int i = 0; i < 16; ++i)
        sums[i / 8].lane[i % 8] += x->number[2 * i] * w[2 * i] + x->number[2 * i + 1] * w[2 * i + 1];
#endif
}

/* All rows of up to sixteen channels from c on. x: the padded rows of these channels, `pitch` bytes apart; weights:
 * theirs, of all pairs of taps, 2 * pitch numbers apart. */
EDGECNN_INLINE void edgecnn_avx2_depthwise(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const int8_t *x, int pitch, const int16_t *weights, int c, int groups,
                                           int8_t *output) {
    const int next = window->dilation * pitch, last = window->kernel - 1;
    /* Three taps: the second pair of a row is the first of the row after the next. */
    const int three = window->kernel == 3 && window->stride == 1 && window->dilation == 1;
    edgecnn_avx2_two_rows first = edgecnn_avx2_load_rows(x, x + pitch), second = first, third;
    edgecnn_requantization r = *requantization;
    if (three)
        second = edgecnn_avx2_load_rows(x + pitch, x + 2 * pitch);
    for (int row = 0; row < window->rows; ++row) {
        const int8_t *const from = x + row * window->stride * pitch;
        edgecnn_v8 sums[2];
        sums[0] = sums[1] = edgecnn_v8_zero();
        if (three) {
            third = edgecnn_avx2_load_rows(from + 2 * pitch, from + 3 * pitch);
            edgecnn_avx2_add_rows(sums, &first, weights);
            edgecnn_avx2_add_rows(sums, &third, weights + 2 * pitch);
            first = second;
            second = third;
        } else {
            EDGECNN_UNROLL(4)
            for (int k = 0; k < window->kernel; k += 2) {
                /* An odd last tap meets a weight of zero. */
                const edgecnn_avx2_two_rows two =
                    edgecnn_avx2_load_rows(from + k * next, from + edgecnn_min(k + 1, last) * next);
                edgecnn_avx2_add_rows(sums, &two, weights + k * pitch);
            }
        }
        r.table = edgecnn_avx2_fresh(r.table);
        edgecnn_v8_store(&r, c, sums, groups, 8 * groups, 0, output + row * window->out + c);
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
    for (; c + 16 <= window->out; c += 16)
        edgecnn_avx2_depthwise(window, requantization, scratch + c, pitch, weights + 2 * c, c, 2, output);
    if (c < window->out)
        edgecnn_avx2_depthwise(window, requantization, scratch + c, pitch, weights + 2 * c, c, 1, output);
}

#endif
