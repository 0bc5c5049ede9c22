/* Means and maxima over rows for NEON of 64-bit Arm: eight channels at a time. */
#ifndef EDGECNN_REDUCE_NEON_H
#define EDGECNN_REDUCE_NEON_H

#include "edgecnn_neon.h"
#include "edgecnn_reduce.h"

/* edgecnn_mean for up to 255 rows, whose sums fit 16 bits, and a multiple of 8 channels. */
EDGECNN_KERNEL void edgecnn_mean_neon(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                      int32_t zero_point, const int8_t *input, int8_t *output) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 8) {
            int16_t sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            const int8_t *x = input + c;
#if EDGECNN_HAS_NEON
            int16x8_t sum = vdupq_n_s16(0);
            EDGECNN_UNROLL(4)
            for (int row = 0; row < count; ++row, x += channels)
                sum = vaddw_s8(sum, vld1_s8(x));
            vst1q_s16(sums, sum);
#else
            for (int row = 0; row < count; ++row, x += channels)
                for (int i = 0; i < 8; ++i)
                    sums[i] = (int16_t)(sums[i] + x[i]);
#endif
            for (int i = 0; i < 8; ++i) {
                const int32_t y = edgecnn_srdhm(edgecnn_shift_left(bias + sums[i], left), multiplier);
                output[c + i] = (int8_t)edgecnn_clamp_int8(edgecnn_rdpot(y, right) + zero_point);
            }
        }
    }
}

/* edgecnn_reduce_max for a multiple of 8 channels. */
EDGECNN_KERNEL void edgecnn_reduce_max_neon(int groups, int count, int channels, const int8_t *input, int8_t *output) {
#if EDGECNN_HAS_NEON
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 8) {
            const int8_t *x = input + c;
            int8x8_t most = vld1_s8(x);
            EDGECNN_UNROLL(4)
            for (int row = 1; row < count; ++row)
                most = vmax_s8(most, vld1_s8(x + row * channels));
            vst1_s8(output + c, most);
        }
    }
#else
    edgecnn_reduce_max(groups, count, channels, input, output);
#endif
}

#endif
