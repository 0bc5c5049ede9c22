/* ADD and SUB for AVX-512: 64 elements at a time. */
#ifndef EDGECNN_ELEMENTWISE_VNNI_H
#define EDGECNN_ELEMENTWISE_VNNI_H

#include "edgecnn_elementwise.h"
#include "edgecnn_vnni.h"

#if EDGECNN_HAS_VNNI
/* edgecnn_part of sixteen bytes. */
EDGECNN_INLINE __m512i edgecnn_vnni_part(__m512i x, int32_t m) {
    const __m512i upper = _mm512_mullo_epi32(x, _mm512_set1_epi32(m >> 8));
    if (!(m & 255))
        return upper;
    return _mm512_add_epi32(upper, _mm512_srai_epi32(_mm512_mullo_epi32(x, _mm512_set1_epi32(m & 255)), 8));
}

EDGECNN_INLINE __m512i edgecnn_vnni_line(const edgecnn_pair_line *l, __m128i a, __m128i b) {
    __m512i t = edgecnn_vnni_part(_mm512_cvtepi8_epi32(a), l->first);
    t = _mm512_add_epi32(t, edgecnn_vnni_part(_mm512_cvtepi8_epi32(b), l->second));
    t = _mm512_add_epi32(t, _mm512_set1_epi32(l->addend));
    if (l->drop)
        t = _mm512_add_epi32(t, _mm512_and_si512(_mm512_srai_epi32(t, 31), _mm512_set1_epi32(l->drop)));
    return _mm512_srai_epi32(_mm512_add_epi32(t, _mm512_set1_epi32(l->offset)), (unsigned)l->shift);
}
#endif

/* edgecnn_add_line for two operands of n elements. */
EDGECNN_KERNEL void edgecnn_add_line_vnni(int n, const edgecnn_pair_line *l, const int8_t *a, const int8_t *b,
                                          int8_t *output) {
#if EDGECNN_HAS_VNNI
    int i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512i found[4];
        EDGECNN_UNROLL(4)
        for (int k = 0; k < 4; ++k)
            found[k] = edgecnn_vnni_line(l, _mm_loadu_si128((const __m128i *)(const void *)(a + i + 16 * k)),
                                         _mm_loadu_si128((const __m128i *)(const void *)(b + i + 16 * k)));
        edgecnn_vnni_write(
            edgecnn_vnni_clamp(edgecnn_vnni_narrow(found[0], found[1], found[2], found[3]), l->clamp_min, l->clamp_max),
            64, 0, output + i);
    }
    for (; i < n; i += 16) {
        const int some = edgecnn_min(n - i, 16);
        const __mmask16 mask = (__mmask16)edgecnn_vnni_mask(some);
        const __m512i found =
            edgecnn_vnni_line(l, _mm_maskz_loadu_epi8(mask, a + i), _mm_maskz_loadu_epi8(mask, b + i));
        edgecnn_vnni_write(
            edgecnn_vnni_clamp(edgecnn_vnni_narrow(found, found, found, found), l->clamp_min, l->clamp_max), some, 0,
            output + i);
    }
#else
    const edgecnn_pairs whole = {1, n, n, n};
    edgecnn_add_line(&whole, l, a, b, output);
#endif
}

#endif
