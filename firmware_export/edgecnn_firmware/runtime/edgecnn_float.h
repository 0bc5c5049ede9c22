/* The float ends of a network. */
#ifndef EDGECNN_FLOAT_H
#define EDGECNN_FLOAT_H

#include "edgecnn_base.h"

/* x / scale to the nearest, halves away from zero, plus the zero point, kept within low to high. NaN counts as 0. */
EDGECNN_INLINE int32_t edgecnn_quantize_one(float x, float scale, int32_t zero_point, int32_t low, int32_t high) {
    float quotient = x / scale, rest;
    int32_t whole;
    if (!(quotient < 1024.0f))
        quotient = quotient == quotient ? 1024.0f : 0.0f;
    if (quotient < -1024.0f)
        quotient = -1024.0f;
    whole = (int32_t)quotient;
    rest = quotient - (float)whole;
    if (rest >= 0.5f)
        ++whole;
    if (rest <= -0.5f)
        --whole;
    return edgecnn_clamp(whole + zero_point, low, high);
}

EDGECNN_KERNEL void edgecnn_quantize(int n, float scale, int32_t zero_point, const float *input, int8_t *output) {
    for (int i = 0; i < n; ++i)
        output[i] = (int8_t)edgecnn_quantize_one(input[i], scale, zero_point, -128, 127);
}

EDGECNN_KERNEL void edgecnn_quantize_u8(int n, float scale, int32_t zero_point, const float *input, uint8_t *output) {
    for (int i = 0; i < n; ++i)
        output[i] = (uint8_t)edgecnn_quantize_one(input[i], scale, zero_point, 0, 255);
}

EDGECNN_KERNEL void edgecnn_dequantize(int n, float scale, int32_t zero_point, const int8_t *input, float *output) {
    for (int i = 0; i < n; ++i)
        output[i] = scale * (float)(input[i] - zero_point);
}

EDGECNN_KERNEL void edgecnn_dequantize_u8(int n, float scale, int32_t zero_point, const uint8_t *input, float *output) {
    for (int i = 0; i < n; ++i)
        output[i] = scale * (float)(input[i] - zero_point);
}

#endif
