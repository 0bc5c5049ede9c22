/* Means, maxima and max-pooling over rows for AVX2: eight or sixteen channels at a time. */
#ifndef EDGECNN_REDUCE_AVX2_H
#define EDGECNN_REDUCE_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_reduce.h"

/* edgecnn_mean. */
EDGECNN_KERNEL void edgecnn_mean_avx2(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                      int32_t zero_point, const int8_t *input, int8_t *output) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 8) {
            const int some = edgecnn_min(channels - c, 8);
            const int8_t *x = input + c;
            int32_t sums[8] = {bias, bias, bias, bias, bias, bias, bias, bias};
#if EDGECNN_HAS_AVX2
            if (some == 8) {
                __m256i sum = _mm256_set1_epi32(bias);
                EDGECNN_UNROLL(4)
                for (int row = 0; row < count; ++row, x += channels)
                    sum =
                        _mm256_add_epi32(sum, _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x)));
                _mm256_storeu_si256((__m256i *)(void *)sums, sum);
            } else
#endif
            {
                for (int row = 0; row < count; ++row, x += channels)
                    for (int i = 0; i < some; ++i)
                        sums[i] += x[i];
            }
            for (int i = 0; i < some; ++i) {
                const int32_t y = edgecnn_srdhm(edgecnn_shift_left(sums[i], left), multiplier);
                output[c + i] = (int8_t)edgecnn_clamp_int8(edgecnn_rdpot(y, right) + zero_point);
            }
        }
    }
}

/* The largest of `count` (1 or more) rows of `channels` channels, and of `least`, but `most` where that is smaller. */
EDGECNN_INLINE void edgecnn_avx2_largest(int count, int channels, int32_t least, int32_t most, const int8_t *input,
                                         int8_t *output) {
    int c = 0;
#if EDGECNN_HAS_AVX2
    for (; c + 16 <= channels; c += 16) {
        const int8_t *x = input + c;
        __m128i y = _mm_set1_epi8((char)least);
        for (int row = 0; row < count; ++row, x += channels)
            y = _mm_max_epi8(y, _mm_loadu_si128((const __m128i *)(const void *)x));
        if (most != 127)
            y = _mm_min_epi8(y, _mm_set1_epi8((char)most));
        _mm_storeu_si128((__m128i *)(void *)(output + c), y);
    }
#endif
    for (; c < channels; ++c) {
        int32_t y = least;
        for (int row = 0; row < count; ++row)
            y = edgecnn_max(y, input[row * channels + c]);
        output[c] = (int8_t)edgecnn_min(y, most);
    }
}

/* edgecnn_reduce_max. */
EDGECNN_KERNEL void edgecnn_reduce_max_avx2(int groups, int count, int channels, const int8_t *input, int8_t *output) {
    for (int g = 0; g < groups; ++g)
        edgecnn_avx2_largest(count, channels, -128, 127, input + g * count * channels, output + g * channels);
}

/* edgecnn_max_pool. */
EDGECNN_KERNEL void edgecnn_max_pool_avx2(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
    for (int row = 0; row < p->rows; ++row) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        edgecnn_avx2_largest(end - begin, p->channels, p->clamp_min, p->clamp_max, input + begin * p->channels,
                             output + row * p->channels);
    }
}

#endif
