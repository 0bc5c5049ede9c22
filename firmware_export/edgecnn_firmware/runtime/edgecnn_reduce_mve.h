/* Means, maxima and max-pooling over rows for Armv8.1-M MVE: eight or sixteen channels at a time. */
#ifndef EDGECNN_REDUCE_MVE_H
#define EDGECNN_REDUCE_MVE_H

#include "edgecnn_mve.h"
#include "edgecnn_reduce.h"

/* edgecnn_mean for up to 255 rows, whose sums fit 16 bits. */
EDGECNN_KERNEL void edgecnn_mean_mve(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                     int32_t zero_point, const int8_t *input, int8_t *output) {
#if EDGECNN_HAS_MVE
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 8) {
            const mve_pred16_t some = vctp16q((uint32_t)(channels - c));
            const int8_t *x = input + c;
            int16x8_t eight = vdupq_n_s16(0);
            int16_t sums[8];
            for (int row = 0; row < count; ++row, x += channels)
                eight = vaddq_s16(eight, vldrbq_z_s16(x, some));
            vst1q_s16(sums, eight);
            for (int i = 0; i < 8 && c + i < channels; i += 4) {
                int32x4_t y = vaddq_n_s32(vldrhq_s32(sums + i), bias);
                y = vqrdmulhq_n_s32(vshlq_r_s32(y, left), multiplier);
                /* Halves go away from zero. */
                if (right)
                    y = vrshlq_n_s32(vqaddq_s32(y, vshrq_n_s32(y, 31)), -right);
                y = vaddq_n_s32(y, zero_point);
                y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(-128)), vdupq_n_s32(127));
                vstrbq_p_s32(output + c + i, y, vctp32q((uint32_t)(channels - c - i)));
            }
        }
    }
#else
    edgecnn_mean(groups, count, channels, bias, multiplier, shift, zero_point, input, output);
#endif
}

/* The largest of `count` rows of `channels` channels, and of `least`, but `most` where that is smaller. */
EDGECNN_INLINE void edgecnn_mve_largest(int count, int channels, int32_t least, int32_t most, const int8_t *input,
                                        int8_t *output) {
#if EDGECNN_HAS_MVE
    for (int c = 0; c < channels; c += 16) {
        const mve_pred16_t some = vctp8q((uint32_t)(channels - c));
        const int8_t *x = input + c;
        int8x16_t y = vdupq_n_s8((int8_t)least);
        for (int row = 0; row < count; ++row, x += channels)
            y = vmaxq_s8(y, vldrbq_z_s8(x, some));
        if (most != 127)
            y = vminq_s8(y, vdupq_n_s8((int8_t)most));
        vstrbq_p_s8(output + c, y, some);
    }
#else
    for (int c = 0; c < channels; ++c) {
        int32_t y = least;
        for (int row = 0; row < count; ++row)
            y = edgecnn_max(y, input[row * channels + c]);
        output[c] = (int8_t)edgecnn_min(y, most);
    }
#endif
}

/* edgecnn_reduce_max. */
EDGECNN_KERNEL void edgecnn_reduce_max_mve(int groups, int count, int channels, const int8_t *input, int8_t *output) {
    for (int g = 0; g < groups; ++g)
        edgecnn_mve_largest(count, channels, -128, 127, input + g * count * channels, output + g * channels);
}

/* edgecnn_max_pool. */
EDGECNN_KERNEL void edgecnn_max_pool_mve(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
    for (int row = 0; row < p->rows; ++row) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        edgecnn_mve_largest(end - begin, p->channels, p->clamp_min, p->clamp_max, input + begin * p->channels,
                            output + row * p->channels);
    }
}

#endif
