/* Poolings and reductions over rows. */
#ifndef EDGECNN_REDUCE_H
#define EDGECNN_REDUCE_H

#include "edgecnn_base.h"

/* The window of a pooling: input (length, channels), output (rows, channels); rows of padding do not count. */
typedef struct {
    int length, channels, rows, kernel, stride, pad_before;
    int32_t clamp_min, clamp_max;
} edgecnn_pooling;

/* The output may lie below the input in memory, clear of every row that is still to be read. */
EDGECNN_KERNEL void edgecnn_max_pool(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
    for (int row = 0; row < p->rows; ++row) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        for (int c = 0; c < p->channels; ++c) {
            int32_t y = p->clamp_min;
            for (int at = begin; at < end; ++at)
                y = edgecnn_max(y, input[at * p->channels + c]);
            output[row * p->channels + c] = (int8_t)edgecnn_min(y, p->clamp_max);
        }
    }
}

/* Halves round away from zero. */
EDGECNN_KERNEL void edgecnn_average_pool(const edgecnn_pooling *p, const int8_t *input, int8_t *output) {
    for (int row = 0; row < p->rows; ++row) {
        const int from = row * p->stride - p->pad_before;
        const int begin = edgecnn_max(from, 0), end = edgecnn_min(from + p->kernel, p->length);
        const int32_t count = end - begin;
        for (int c = 0; c < p->channels; ++c) {
            int32_t sum = 0;
            for (int at = begin; at < end; ++at)
                sum += input[at * p->channels + c];
            sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
            output[row * p->channels + c] = (int8_t)edgecnn_clamp(sum, p->clamp_min, p->clamp_max);
        }
    }
}

/* Mean of each `count` rows of a channel; `bias` is -count times the input's zero point. shift: positive is left. */
EDGECNN_KERNEL void edgecnn_mean(int groups, int count, int channels, int32_t bias, int32_t multiplier, int shift,
                                 int32_t zero_point, const int8_t *input, int8_t *output) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; ++c) {
            int32_t sum = bias, y;
            for (int row = 0; row < count; ++row)
                sum += input[row * channels + c];
            y = edgecnn_rdpot(edgecnn_srdhm(edgecnn_shift_left(sum, left), multiplier), right) + zero_point;
            output[c] = (int8_t)edgecnn_clamp_int8(y);
        }
    }
}

/* Maximum of each `count` rows of a channel. */
EDGECNN_KERNEL void edgecnn_reduce_max(int groups, int count, int channels, const int8_t *input, int8_t *output) {
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; ++c) {
            int32_t y = -128;
            for (int row = 0; row < count; ++row)
                y = edgecnn_max(y, input[row * channels + c]);
            output[c] = (int8_t)y;
        }
    }
}

/* Minimum of each `count` rows of a channel. */
EDGECNN_KERNEL void edgecnn_reduce_min(int groups, int count, int channels, const int8_t *input, int8_t *output) {
    for (int g = 0; g < groups; ++g, input += count * channels, output += channels) {
        for (int c = 0; c < channels; ++c) {
            int32_t y = 127;
            for (int row = 0; row < count; ++row)
                y = edgecnn_min(y, input[row * channels + c]);
            output[c] = (int8_t)y;
        }
    }
}

/* Index of the first largest element of each row. */
EDGECNN_INLINE int edgecnn_arg_max(int columns, const int8_t *input) {
    int best = 0;
    for (int i = 1; i < columns; ++i)
        if (input[i] > input[best])
            best = i;
    return best;
}

EDGECNN_KERNEL void edgecnn_arg_max_32(int rows, int columns, const int8_t *input, int32_t *output) {
    for (int row = 0; row < rows; ++row)
        output[row] = (int32_t)edgecnn_arg_max(columns, input + row * columns);
}

EDGECNN_KERNEL void edgecnn_arg_max_64(int rows, int columns, const int8_t *input, int64_t *output) {
    for (int row = 0; row < rows; ++row)
        output[row] = (int64_t)edgecnn_arg_max(columns, input + row * columns);
}

#endif
