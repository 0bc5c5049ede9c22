/* Means and maxima over rows for Armv7E-M: four channels at a time. */
#ifndef EDGECNN_REDUCE_DSP_H
#define EDGECNN_REDUCE_DSP_H

#include "edgecnn_dsp.h"
#include "edgecnn_reduce.h"

/* edgecnn_mean for up to 255 rows, whose sums fit a half, and a multiple of 4 channels. */
EDGECNN_KERNEL void edgecnn_mean_dsp(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                     int32_t zero_point, const int8_t *input, int8_t *output) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 4) {
            uint32_t even = 0, odd = 0;
            const int8_t *x = input + c;
            EDGECNN_UNROLL(4)
            for (int row = 0; row < count; ++row, x += channels) {
                const uint32_t four = edgecnn_load4(x);
                even = edgecnn_sxtab16(even, four);
                odd = edgecnn_sxtab16_odd(odd, four);
            }
            EDGECNN_UNROLL(4)
            for (int i = 0; i < 4; ++i) {
                const uint32_t pair = i % 2 ? odd : even;
                const int32_t sum = bias + (int16_t)(uint16_t)(i < 2 ? pair : pair >> 16);
                const int32_t y = edgecnn_rdpot(edgecnn_srdhm(edgecnn_shift_left(sum, left), multiplier), right);
                output[c + i] = (int8_t)edgecnn_clamp_int8(y + zero_point);
            }
        }
    }
}

/* edgecnn_reduce_max for a multiple of 4 channels. */
EDGECNN_KERNEL void edgecnn_reduce_max_dsp(int groups, int count, int channels, const int8_t *input, int8_t *output) {
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; c += 4) {
            const int8_t *x = input + c;
            uint32_t y = edgecnn_load4(x);
            EDGECNN_UNROLL(4)
            for (int row = 1; row < count; ++row) {
                x += channels;
                y = edgecnn_max_4(y, edgecnn_load4(x));
            }
            edgecnn_store4(output + c, y);
        }
    }
}

/* edgecnn_max_pool for a multiple of 4 channels. */
EDGECNN_KERNEL void edgecnn_max_pool_dsp(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
    const uint32_t low = (uint32_t)(uint8_t)p->clamp_min * 0x01010101u;
    const uint32_t high = (uint32_t)(uint8_t)p->clamp_max * 0x01010101u;
    for (int row = 0; row < p->rows; ++row, output += p->channels) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        for (int c = 0; c < p->channels; c += 4) {
            uint32_t y = low;
            const int8_t *x = input + begin * p->channels + c;
            EDGECNN_UNROLL(2)
            for (int at = begin; at < end; ++at, x += p->channels)
                y = edgecnn_max_4(y, edgecnn_load4(x));
            edgecnn_store4(output + c, p->clamp_max < 127 ? edgecnn_min_4(y, high) : y);
        }
    }
}

#endif
