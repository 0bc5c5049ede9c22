/* Logarithm of softmax in fixed point, as TFLite's reference kernel computes it. */
#ifndef EDGECNN_LOG_SOFTMAX_H
#define EDGECNN_LOG_SOFTMAX_H

#include "edgecnn_softmax.h"

/* Zeros above the highest one; x from 1 on. */
EDGECNN_INLINE int edgecnn_leading_zeros(int32_t x) {
    int zeros = 0;
    while (!((uint32_t)x << zeros & 0x80000000u))
        ++zeros;
    return zeros;
}

/* log(x) for x from 1 on in Q12.19; the result is Q5.26. */
EDGECNN_SHARED int32_t edgecnn_log(int32_t x) {
    const int32_t root_of_half = 1518500250, fourth_root_of_half = 1805811301, quarter = (int32_t)1 << 23;
    /* Of two ways to write x as a power times a mantissa, the one with the smaller mantissa. */
    const int zeros = edgecnn_leading_zeros(x);
    const int zeros_b = edgecnn_leading_zeros(edgecnn_shared_srdhm(x, root_of_half)) - 1;
    const int32_t a = edgecnn_shared_srdhm(edgecnn_shift_left(x, zeros - 1), root_of_half);
    const int32_t r = edgecnn_min(edgecnn_saturating_shift_left(a, 1), edgecnn_saturating_shift_left(x, zeros_b));
    const int32_t power =
        edgecnn_max(edgecnn_shift_left(12 - zeros, 25) + quarter, edgecnn_shift_left(12 - zeros_b, 25) - quarter);
    /* A quotient of polynomials around the fourth root of 1/2. */
    const int32_t middle = (int32_t)(((uint32_t)r + (uint32_t)fourth_root_of_half + 1u) >> 1);
    const int32_t q = 2 * (r - fourth_root_of_half);
    const int32_t square = edgecnn_shared_srdhm(q, q);
    const int32_t above = edgecnn_shared_srdhm(q, r) + edgecnn_shared_srdhm(edgecnn_shared_srdhm(q, square), 117049297);
    const int32_t below = edgecnn_shared_srdhm(middle, 1057819769 + q + edgecnn_shared_srdhm(127690142, square)) +
                          edgecnn_shared_srdhm(638450708, q);
    const int32_t rest = edgecnn_shared_srdhm(edgecnn_rdpot(above, 6), edgecnn_one_over_one_plus(below));
    return edgecnn_saturating_shift_left(edgecnn_shared_srdhm(power, 1488522236) + rest, 1);
}

/* Log-softmax of each row of `columns` int8 (1 to 4095); output scale 1/16, zero point 127. In place is not allowed.
 * `multiplier`, `left_shift` and `least` as for softmax; `reverse` / 2^(31 + right_shift) takes an exponent in Q5.26
 * back to a difference of inputs; right_shift 0 to 31. */
EDGECNN_KERNEL void edgecnn_log_softmax(int rows, int columns, int32_t multiplier, int left_shift, int32_t least,
                                        int32_t reverse, int right_shift, const int8_t *input, int8_t *output) {
    for (int row = 0; row < rows; ++row, input += columns, output += columns) {
        int32_t largest = -128, sum = 0, logarithm, bound;
        for (int i = 0; i < columns; ++i)
            largest = edgecnn_max(largest, input[i]);
        for (int i = 0; i < columns; ++i)
            sum += edgecnn_rdpot(edgecnn_exp_of(input[i] - largest, multiplier, left_shift, least), 12);
        logarithm = edgecnn_log(sum);
        bound = edgecnn_rdpot(edgecnn_shared_srdhm(logarithm + (-0x7fffffff - 1), reverse), right_shift);
        bound = edgecnn_max(bound, least - 1);
        for (int i = 0; i < columns; ++i) {
            const int32_t difference = input[i] - largest;
            int32_t y = -128;
            if (difference > bound) {
                y = edgecnn_shared_srdhm(edgecnn_shift_left(difference, left_shift), multiplier) - logarithm;
                y = edgecnn_clamp_int8(edgecnn_rdpot(y, 22) + 127);
            }
            output[i] = (int8_t)y;
        }
    }
}

#endif
