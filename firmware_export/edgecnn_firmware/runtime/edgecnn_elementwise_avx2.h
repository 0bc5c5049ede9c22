/* ADD and SUB for AVX2: sixteen elements at a time. */
#ifndef EDGECNN_ELEMENTWISE_AVX2_H
#define EDGECNN_ELEMENTWISE_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_elementwise.h"

#if EDGECNN_HAS_AVX2
/* edgecnn_part of eight bytes. */
EDGECNN_INLINE __m256i edgecnn_avx2_part(__m256i x, int32_t m) {
    const __m256i upper = _mm256_mullo_epi32(x, _mm256_set1_epi32(m >> 8));
    if (!(m & 255))
        return upper;
    return _mm256_add_epi32(upper, _mm256_srai_epi32(_mm256_madd_epi16(x, _mm256_set1_epi32(m & 255)), 8));
}

EDGECNN_INLINE __m256i edgecnn_avx2_line(const edgecnn_pair_line *l, const int8_t *a, const int8_t *b) {
    const __m256i x = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)a));
    const __m256i y = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)b));
    __m256i t = _mm256_add_epi32(edgecnn_avx2_part(x, l->first), edgecnn_avx2_part(y, l->second));
    t = _mm256_add_epi32(t, _mm256_set1_epi32(l->addend));
    if (l->drop)
        t = _mm256_add_epi32(t, _mm256_and_si256(_mm256_srai_epi32(t, 31), _mm256_set1_epi32(l->drop)));
    return _mm256_srai_epi32(_mm256_add_epi32(t, _mm256_set1_epi32(l->offset)), l->shift);
}
#endif

/* edgecnn_add_line for two operands of n elements. */
EDGECNN_KERNEL void edgecnn_add_line_avx2(int n, const edgecnn_pair_line *l, const int8_t *a, const int8_t *b,
                                          int8_t *output) {
    int i = 0;
#if EDGECNN_HAS_AVX2
    for (; i + 16 <= n; i += 16) {
        const __m256i low = edgecnn_avx2_line(l, a + i, b + i), high = edgecnn_avx2_line(l, a + i + 8, b + i + 8);
        edgecnn_avx2_write(edgecnn_avx2_narrow(low, high, l->clamp_min, l->clamp_max), 16, 0, output + i);
    }
#endif
    {
        const edgecnn_pairs rest = {1, n - i, n - i, n - i};
        edgecnn_add_line(&rest, l, a + i, b + i, output + i);
    }
}

#endif
