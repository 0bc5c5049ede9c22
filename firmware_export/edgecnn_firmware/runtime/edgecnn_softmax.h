/* Softmax in fixed point, as gemmlowp computes it for TFLite's reference kernel. */
#ifndef EDGECNN_SOFTMAX_H
#define EDGECNN_SOFTMAX_H

#include "edgecnn_base.h"

EDGECNN_SHARED int32_t edgecnn_shared_srdhm(int32_t a, int32_t b) { return edgecnn_srdhm(a, b); }

EDGECNN_INLINE int32_t edgecnn_saturating_shift_left(int32_t x, int bits) {
    const int32_t most = 0x7fffffff >> bits;
    return x > most ? 0x7fffffff : x < -most - 1 ? -0x7fffffff - 1 : edgecnn_shift_left(x, bits);
}

/* exp(a) for a <= 0 in Q5.26; the result is Q0.31. */
EDGECNN_SHARED int32_t edgecnn_exp(int32_t a) {
    /* exp(-2^e) for e = -2 to 4 in Q0.31. */
    static const int32_t powers[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = (int32_t)1 << 24;
    const int32_t below = (a & (quarter - 1)) - quarter;
    uint32_t remainder = (uint32_t)(below - a) >> 24;
    /* The Taylor series around -1/8. */
    const int32_t x = edgecnn_shift_left(below, 5) + ((int32_t)1 << 28);
    const int32_t x2 = edgecnn_shared_srdhm(x, x);
    const int32_t x3 = edgecnn_shared_srdhm(x2, x);
    const int32_t x4 = edgecnn_rdpot(edgecnn_shared_srdhm(x2, x2), 2);
    const int32_t tail = edgecnn_rdpot(edgecnn_shared_srdhm(x4 + x3, 715827883) + x2, 1);
    int32_t y = 1895147668 + edgecnn_shared_srdhm(1895147668, x + tail);
    if (a == 0)
        return 0x7fffffff;
    for (int i = 0; i < 7; ++i, remainder >>= 1)
        if (remainder & 1u)
            y = edgecnn_shared_srdhm(y, powers[i]);
    return y;
}

/* 1 / (1 + a) for a from 0 to 1; both Q0.31. */
EDGECNN_INLINE int32_t edgecnn_one_over_one_plus(int32_t a) {
    /* The sum is positive: half of it, rounded up. */
    const int32_t half = (int32_t)(((uint32_t)a + 0x7fffffffu + 1u) >> 1);
    int32_t x = 1515870810 + edgecnn_shared_srdhm(half, -1010580540);
    for (int i = 0; i < 3; ++i) {
        const int32_t rest = ((int32_t)1 << 29) - edgecnn_shared_srdhm(half, x);
        x += edgecnn_saturating_shift_left(edgecnn_shared_srdhm(x, rest), 2);
    }
    return edgecnn_saturating_shift_left(x, 1);
}

/* The exponential of input - largest, both int8, or 0 where that lies below `least`. */
EDGECNN_INLINE int32_t edgecnn_exp_of(int32_t difference, int32_t multiplier, int left_shift, int32_t least) {
    if (difference < least)
        return 0;
    return edgecnn_exp(edgecnn_shared_srdhm(edgecnn_shift_left(difference, left_shift), multiplier));
}

/* Softmax of each row of `columns` int8 (1 to 511); output scale 1/256, zero point -128. In place is not allowed.
 * (input - largest) * multiplier * 2^left_shift / 2^31 is the exponent in Q5.26; `least` keeps it within range. */
EDGECNN_KERNEL void edgecnn_softmax(int rows, int columns, int32_t multiplier, int left_shift, int32_t least,
                                    const int8_t *input, int8_t *output) {
    for (int row = 0; row < rows; ++row, input += columns, output += columns) {
        int32_t largest = -128, sum = 0, reciprocal, shifted;
        int headroom = 0;
        for (int i = 0; i < columns; ++i)
            largest = edgecnn_max(largest, input[i]);
        for (int i = 0; i < columns; ++i)
            sum += edgecnn_rdpot(edgecnn_exp_of(input[i] - largest, multiplier, left_shift, least), 12);
        while (!((uint32_t)sum << headroom & 0x80000000u))
            ++headroom;
        shifted = (int32_t)((uint32_t)sum << headroom ^ 0x80000000u);
        reciprocal = edgecnn_one_over_one_plus(shifted);
        for (int i = 0; i < columns; ++i) {
            const int32_t difference = input[i] - largest;
            const int32_t e = edgecnn_exp_of(difference, multiplier, left_shift, least);
            const int32_t share = edgecnn_rdpot(edgecnn_shared_srdhm(reciprocal, e), 12 - headroom + 23);
            output[i] = (int8_t)(difference < least ? -128 : edgecnn_min(share - 128, 127));
        }
    }
}

#endif
