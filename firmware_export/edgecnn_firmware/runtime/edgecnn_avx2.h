/* AVX2 blocks as functions on eight output channels, and the same in plain C for every other machine. */
#ifndef EDGECNN_AVX2_H
#define EDGECNN_AVX2_H

#include "edgecnn_requantize.h"

#if defined(__AVX2__) && !defined(EDGECNN_NO_SIMD)
#include <immintrin.h>
#define EDGECNN_HAS_AVX2 1
#else
#define EDGECNN_HAS_AVX2 0
#endif

/* Eight int32, one for each of eight output channels; and the weights of eight channels, two each. */
#if EDGECNN_HAS_AVX2
typedef __m256i edgecnn_v8;
typedef __m256i edgecnn_v8_weights;
#else
typedef struct {
    int32_t lane[8];
} edgecnn_v8;
typedef const int8_t *edgecnn_v8_weights;
#endif

EDGECNN_INLINE edgecnn_v8 edgecnn_v8_zero(void) {
#if EDGECNN_HAS_AVX2
    return _mm256_setzero_si256();
#else
    edgecnn_v8 v;
    for (int i = 0; i < 8; ++i)
        v.lane[i] = 0;
    return v;
#endif
}

/* 16 bytes: two for each channel. */
EDGECNN_INLINE edgecnn_v8_weights edgecnn_v8_load_weights(const int8_t *w) {
#if EDGECNN_HAS_AVX2
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
#else
    return w;
#endif
}

#if EDGECNN_HAS_AVX2
EDGECNN_INLINE __m256i edgecnn_avx2_add(__m256i sums, __m256i products) {
#if defined(__clang__)
    return _mm256_add_epi32(sums, products);
#else
    /* Sums stay where they are: GCC's own form of this moves them between registers. */
    __asm__("vpaddd %1, %0, %0" : "+x"(sums) : "x"(products));
    return sums;
#endif
}
#endif

/* sums[i] += x[0] * w[2 i] + x[1] * w[2 i + 1]. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_add_pair(edgecnn_v8 sums, const int16_t *x, edgecnn_v8_weights w) {
#if EDGECNN_HAS_AVX2
    int32_t two;
    __builtin_memcpy(&two, x, 4);
    return edgecnn_avx2_add(sums, _mm256_madd_epi16(_mm256_set1_epi32(two), w));
#else
    for (int i = 0; i < 8; ++i)
        sums.lane[i] += x[0] * w[2 * i] + x[1] * w[2 * i + 1];
    return sums;
#endif
}

EDGECNN_INLINE edgecnn_v8 edgecnn_v8_max(edgecnn_v8 a, edgecnn_v8 b) {
#if EDGECNN_HAS_AVX2
    return _mm256_max_epi32(a, b);
#else
    for (int i = 0; i < 8; ++i)
        a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
    return a;
#endif
}

#if EDGECNN_HAS_AVX2
/* Eight sums, neither clamped nor narrowed; t: eight multipliers, eight addends and, for EDGECNN_SIGNED_LINE, eight
 * drops. */
EDGECNN_INLINE __m256i edgecnn_avx2_requantize(const edgecnn_requantization *r, __m256i sums, const int32_t *t) {
    const __m256i x = r->pre_shift ? _mm256_slli_epi32(sums, r->pre_shift) : sums;
    /* Bits 32 to 63 of the products: of even channels from one multiplication, of odd ones from another. */
    const __m256i even = _mm256_mul_epi32(x, _mm256_loadu_si256((const __m256i *)(const void *)t));
    const __m256i odd =
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_loadu_si256((const __m256i *)(const void *)(t + 1)));
    __m256i y = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    y = _mm256_add_epi32(y, _mm256_loadu_si256((const __m256i *)(const void *)(t + 8)));
    if (r->form == EDGECNN_SIGNED_LINE) {
        const __m256i drops = _mm256_loadu_si256((const __m256i *)(const void *)(t + 16));
        const __m256i drop = _mm256_and_si256(_mm256_srai_epi32(y, 31), drops);
        y = _mm256_add_epi32(_mm256_add_epi32(y, drop), _mm256_set1_epi32(r->offset));
    }
    return _mm256_srai_epi32(y, r->shift);
}

/* Twice eight int32 -> 16 bytes in order, saturated and clamped. */
EDGECNN_INLINE __m128i edgecnn_avx2_narrow(__m256i a, __m256i b, int32_t low, int32_t high) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (low != -128)
        bytes = _mm_max_epi8(bytes, _mm_set1_epi8((char)low));
    if (high != 127)
        bytes = _mm_min_epi8(bytes, _mm_set1_epi8((char)high));
    return bytes;
}

/* Write the first `count` bytes. `larger`: keep what is there where that is larger. */
EDGECNN_INLINE void edgecnn_avx2_write(__m128i bytes, int count, int larger, int8_t *to) {
    if (count >= 16) {
        if (larger)
            bytes = _mm_max_epi8(bytes, _mm_loadu_si128((const __m128i *)(const void *)to));
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else if (count == 8) {
        if (larger)
            bytes = _mm_max_epi8(bytes, _mm_loadl_epi64((const __m128i *)(const void *)to));
        _mm_storel_epi64((__m128i *)(void *)to, bytes);
    } else {
        int8_t some[16];
        _mm_storeu_si128((__m128i *)(void *)some, bytes);
        for (int i = 0; i < count && i < 16; ++i)
            to[i] = larger && to[i] > some[i] ? to[i] : some[i];
    }
}
#endif

/* Requantize `groups` (1 or 2) times eight sums, of the channels from c on, and write the first `count`. `larger`: keep
 * what is there where that is larger. Tables are by columns of eight. */
EDGECNN_INLINE void edgecnn_v8_store(const edgecnn_requantization *r, int c, const edgecnn_v8 *sums, int groups,
                                     int count, int larger, int8_t *to) {
    const int words = edgecnn_table_words(r);
    const int32_t *const t = r->table + c * words;
#if EDGECNN_HAS_AVX2
    const __m256i a = edgecnn_avx2_requantize(r, sums[0], t);
    const __m256i b = groups > 1 ? edgecnn_avx2_requantize(r, sums[1], t + 8 * words) : a;
    edgecnn_avx2_write(edgecnn_avx2_narrow(a, b, r->clamp_min, r->clamp_max), count, larger, to);
#else
    for (int i = 0; i < count && i < 8 * groups; ++i) {
        const int32_t *const table = t + i / 8 * 8 * words + i % 8;
        int32_t y = edgecnn_high_mul_add(edgecnn_shift_left(sums[i / 8].lane[i % 8], r->pre_shift), table[0], table[8]);
        if (r->form == EDGECNN_SIGNED_LINE)
            y += ((y >> 31) & table[16]) + r->offset;
        y = edgecnn_clamp(y >> r->shift, r->clamp_min, r->clamp_max);
        to[i] = (int8_t)(larger ? edgecnn_max(to[i], y) : y);
    }
#endif
}

/* int8 -> int16. */
EDGECNN_INLINE void edgecnn_avx2_widen(int16_t *to, const int8_t *from, int count) {
    int i = 0;
#if EDGECNN_HAS_AVX2
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
#endif
    for (; i < count; ++i)
        to[i] = from[i];
}

#endif
