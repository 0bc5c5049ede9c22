/* AVX-512 VNNI blocks as functions, and the same in plain C for every other machine. */
#ifndef EDGECNN_VNNI_H
#define EDGECNN_VNNI_H

#include "edgecnn_requantize.h"

#if defined(__AVX512F__) && defined(__AVX512VNNI__) && !defined(EDGECNN_NO_SIMD)
#include <immintrin.h>
#define EDGECNN_HAS_VNNI 1
#else
#define EDGECNN_HAS_VNNI 0
#endif

/* Sixteen int32, one for each of sixteen output channels. */
#if EDGECNN_HAS_VNNI
typedef __m512i edgecnn_v16;
#else
typedef struct {
    int32_t lane[16];
} edgecnn_v16;
#endif

EDGECNN_INLINE edgecnn_v16 edgecnn_v16_load(const int32_t *from) {
#if EDGECNN_HAS_VNNI
    return _mm512_loadu_si512((const void *)from);
#else
    edgecnn_v16 v;
    for (int i = 0; i < 16; ++i) v.lane[i] = from[i];
    return v;
#endif
}

/* sums[i] += sum over j of x[j] * w[4 i + j], x unsigned, four of them. */
EDGECNN_INLINE edgecnn_v16 edgecnn_v16_dot(edgecnn_v16 sums, const uint8_t *x, const int8_t *w) {
#if EDGECNN_HAS_VNNI
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(four), _mm512_loadu_si512((const void *)w));
#else
    for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 4; ++j) sums.lane[i] += x[j] * w[4 * i + j];
    return sums;
#endif
}

EDGECNN_INLINE edgecnn_v16 edgecnn_v16_max(edgecnn_v16 a, edgecnn_v16 b) {
#if EDGECNN_HAS_VNNI
    return _mm512_max_epi32(a, b);
#else
    for (int i = 0; i < 16; ++i) a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
    return a;
#endif
}

#if EDGECNN_HAS_VNNI
/* Bits 32 to 63 of sixteen products. */
EDGECNN_INLINE __m512i edgecnn_v16_high_mul(__m512i a, __m512i b) {
    const __m512i even = _mm512_mul_epi32(a, b);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
#endif

/* Requantize the sums of the sixteen channels from c on and write the first `count` of them; tables are by columns here:
 * sixteen multipliers, sixteen addends and, for EDGECNN_SIGNED_LINE, sixteen drops. `larger`: keep what is there where that
 * is larger. */
EDGECNN_INLINE void edgecnn_v16_store(const edgecnn_requantization *r, int c, edgecnn_v16 sums, int count, int larger,
                                      int8_t *to) {
    const int32_t *t = r->table + c * edgecnn_table_words(r);
#if EDGECNN_HAS_VNNI
    __m512i y = edgecnn_v16_high_mul(_mm512_slli_epi32(sums, (unsigned)r->pre_shift), _mm512_loadu_si512((const void *)t));
    y = _mm512_add_epi32(y, _mm512_loadu_si512((const void *)(t + 16)));
    if (r->form == EDGECNN_SIGNED_LINE) {
        const __m512i drop = _mm512_and_si512(_mm512_srai_epi32(y, 31), _mm512_loadu_si512((const void *)(t + 32)));
        y = _mm512_add_epi32(_mm512_add_epi32(y, drop), _mm512_set1_epi32(r->offset));
    }
    y = _mm512_srai_epi32(y, (unsigned)r->shift);
    if (r->clamp_min != -128) y = _mm512_max_epi32(y, _mm512_set1_epi32(r->clamp_min));
    if (r->clamp_max != 127) y = _mm512_min_epi32(y, _mm512_set1_epi32(r->clamp_max));
    __m128i bytes = _mm512_cvtsepi32_epi8(y);
    const __mmask16 mask = (__mmask16)((1u << count) - 1u);
    if (count == 16) {
        if (larger) bytes = _mm_max_epi8(bytes, _mm_loadu_si128((const __m128i *)(const void *)to));
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else {
        if (larger) bytes = _mm_max_epi8(bytes, _mm_maskz_loadu_epi8(mask, to));
        _mm_mask_storeu_epi8(to, mask, bytes);
    }
#else
    for (int i = 0; i < count; ++i) {
        int32_t y = edgecnn_high_mul_add(edgecnn_shift_left(sums.lane[i], r->pre_shift), t[i], t[16 + i]);
        if (r->form == EDGECNN_SIGNED_LINE) y += ((y >> 31) & t[32 + i]) + r->offset;
        y = edgecnn_clamp(y >> r->shift, r->clamp_min, r->clamp_max);
        to[i] = (int8_t)(larger ? edgecnn_max(to[i], y) : y);
    }
#endif
}

#endif
