/* Means, maxima and max-pooling over rows for AVX-512: sixteen or 64 channels at a time. */
#ifndef EDGECNN_REDUCE_VNNI_H
#define EDGECNN_REDUCE_VNNI_H

#include "edgecnn_reduce.h"
#include "edgecnn_vnni.h"

#if EDGECNN_HAS_VNNI
/* edgecnn_srdhm of each lane with b. */
EDGECNN_INLINE __m512i edgecnn_vnni_srdhm(__m512i a, int32_t b) {
    const __m512i m = _mm512_set1_epi32(b), half = _mm512_set1_epi64((int64_t)1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, m), half);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), m), half);
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}

/* edgecnn_rdpot of each lane. */
EDGECNN_INLINE __m512i edgecnn_vnni_rdpot(__m512i x, int exponent) {
    const __m512i mask = _mm512_set1_epi32((int32_t)(((uint32_t)1 << exponent) - 1u));
    const __m512i threshold = _mm512_sub_epi32(_mm512_srli_epi32(mask, 1), _mm512_srai_epi32(x, 31));
    const __mmask16 up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(x, mask), threshold);
    const __m512i y = _mm512_srai_epi32(x, (unsigned)exponent);
    return _mm512_mask_add_epi32(y, up, y, _mm512_set1_epi32(1));
}

EDGECNN_INLINE __m512i edgecnn_vnni_load_some(const int8_t *from, int count) {
    return count >= 64 ? _mm512_loadu_si512((const void *)from)
                       : _mm512_maskz_loadu_epi8(edgecnn_vnni_mask(count), from);
}
#endif

/* edgecnn_mean. */
EDGECNN_KERNEL void edgecnn_mean_vnni(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                      int32_t zero_point, const int8_t *input, int8_t *output) {
#if EDGECNN_HAS_VNNI
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 16) {
            const __mmask16 some = (__mmask16)edgecnn_vnni_mask(edgecnn_min(channels - c, 16));
            __m512i sum = _mm512_set1_epi32(bias), y;
            const int8_t *x = input + c;
            EDGECNN_UNROLL(4)
            for (int row = 0; row < count; ++row, x += channels)
                sum = _mm512_add_epi32(sum, _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(some, x)));
            y = edgecnn_vnni_srdhm(_mm512_slli_epi32(sum, (unsigned)left), multiplier);
            y = _mm512_add_epi32(edgecnn_vnni_rdpot(y, right), _mm512_set1_epi32(zero_point));
            _mm_mask_storeu_epi8(output + c, some, _mm512_cvtsepi32_epi8(y));
        }
    }
#else
    edgecnn_mean(groups, count, channels, bias, multiplier, shift, zero_point, input, output);
#endif
}

/* edgecnn_reduce_max. */
EDGECNN_KERNEL void edgecnn_reduce_max_vnni(int groups, int count, int channels, const int8_t *input, int8_t *output) {
#if EDGECNN_HAS_VNNI
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 64) {
            const int some = edgecnn_min(channels - c, 64);
            __m512i most = edgecnn_vnni_load_some(input + c, some);
            EDGECNN_UNROLL(4)
            for (int row = 1; row < count; ++row)
                most = _mm512_max_epi8(most, edgecnn_vnni_load_some(input + row * channels + c, some));
            edgecnn_vnni_write(most, some, 0, output + c);
        }
    }
#else
    edgecnn_reduce_max(groups, count, channels, input, output);
#endif
}

/* edgecnn_max_pool. */
EDGECNN_KERNEL void edgecnn_max_pool_vnni(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
#if EDGECNN_HAS_VNNI
    for (int row = 0; row < p->rows; ++row) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        for (int c = 0; c < p->channels; c += 64) {
            const int some = edgecnn_min(p->channels - c, 64);
            __m512i most = _mm512_set1_epi8((char)p->clamp_min);
            for (int at = begin; at < end; ++at)
                most = _mm512_max_epi8(most, edgecnn_vnni_load_some(input + at * p->channels + c, some));
            edgecnn_vnni_write(edgecnn_vnni_clamp(most, -128, p->clamp_max), some, 0, output + row * p->channels + c);
        }
    }
#else
    edgecnn_max_pool(p, input, output);
#endif
}

#endif
