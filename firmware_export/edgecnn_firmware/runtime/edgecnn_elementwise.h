/* Ops of two operands, element by element. In place is allowed on either. */
#ifndef EDGECNN_ELEMENTWISE_H
#define EDGECNN_ELEMENTWISE_H

#include "edgecnn_requantize.h"

/* `a_step` and `b_step` are `channels` for an operand of (rows, channels), 0 for one row that serves all. */
typedef struct {
    int rows, channels, a_step, b_step;
} edgecnn_pairs;

/* t = (a * first >> 8) + (b * second >> 8) + addend; t += drop where t < 0; clamp((t + offset) >> shift).
 * The generator proved on all 65,536 pairs that this is TFLite's ADD or SUB. */
typedef struct {
    int32_t first, second, addend, drop, offset;
    int shift;
    int32_t clamp_min, clamp_max;
} edgecnn_pair_line;

/* x * factor >> 8 of a byte, in 32 bits; of most sums the second product is none, since the factor's low byte is 0. */
EDGECNN_INLINE int32_t edgecnn_part(int32_t x, int32_t factor) {
    return x * (factor >> 8) + ((x * (factor & 255)) >> 8);
}

EDGECNN_KERNEL void edgecnn_add_line(const edgecnn_pairs *n, const edgecnn_pair_line *l, const int8_t *a,
                                     const int8_t *b, int8_t *output) {
    for (int row = 0; row < n->rows; ++row, a += n->a_step, b += n->b_step, output += n->channels) {
        for (int i = 0; i < n->channels; ++i) {
            int32_t t = l->addend + edgecnn_part(a[i], l->first) + edgecnn_part(b[i], l->second);
            if (l->drop)
                t += (t >> 31) & l->drop;
            t = (t + l->offset) >> l->shift;
            output[i] =
                (int8_t)(l->clamp_min == -128 && l->clamp_max == 127 ? edgecnn_clamp_int8(t)
                                                                     : edgecnn_clamp(t, l->clamp_min, l->clamp_max));
        }
    }
}

/* One operand of TFLite's ADD: (x - zero_point) << 20, times a multiplier of at most 1. */
typedef struct {
    int32_t zero_point, multiplier;
    int right_shift;
} edgecnn_scaling;

typedef struct {
    edgecnn_scaling first, second;
    int32_t multiplier; /* negative for SUB's second operand is done by `sign` */
    int32_t sign;       /* 1 or -1 */
    int right_shift;
    int32_t zero_point, clamp_min, clamp_max;
} edgecnn_sum;

EDGECNN_INLINE int32_t edgecnn_scale(const edgecnn_scaling *s, int32_t x) {
    return edgecnn_rdpot(edgecnn_srdhm((x - s->zero_point) * ((int32_t)1 << 20), s->multiplier), s->right_shift);
}

/* TFLite's ADD and SUB as they are. */
EDGECNN_KERNEL void edgecnn_add(const edgecnn_pairs *n, const edgecnn_sum *s, const int8_t *a, const int8_t *b,
                                int8_t *output) {
    for (int row = 0; row < n->rows; ++row, a += n->a_step, b += n->b_step, output += n->channels) {
        for (int i = 0; i < n->channels; ++i) {
            const int32_t raw = edgecnn_scale(&s->first, a[i]) + s->sign * edgecnn_scale(&s->second, b[i]);
            const int32_t y = edgecnn_rdpot(edgecnn_srdhm(raw, s->multiplier), s->right_shift) + s->zero_point;
            output[i] = (int8_t)edgecnn_clamp(y, s->clamp_min, s->clamp_max);
        }
    }
}

/* (a - a_zero_point) * (b - b_zero_point), requantized as one channel. */
EDGECNN_KERNEL void edgecnn_mul(const edgecnn_pairs *n, const edgecnn_requantization *requantization,
                                int32_t a_zero_point, int32_t b_zero_point, const int8_t *a, const int8_t *b,
                                int8_t *output) {
    for (int row = 0; row < n->rows; ++row, a += n->a_step, b += n->b_step, output += n->channels)
        for (int i = 0; i < n->channels; ++i)
            output[i] = (int8_t)edgecnn_requantize(requantization, 0, (a[i] - a_zero_point) * (b[i] - b_zero_point));
}

/* Operands of SQUARED_DIFFERENCE are shifted by 7, not by 20; the square of their difference stays below 2^30. */
typedef struct {
    edgecnn_scaling first, second;
    int32_t multiplier;
    int right_shift;
    int32_t zero_point;
} edgecnn_square;

EDGECNN_INLINE int32_t edgecnn_scale_7(const edgecnn_scaling *s, int32_t x) {
    return edgecnn_rdpot(edgecnn_srdhm((x - s->zero_point) * 128, s->multiplier), s->right_shift);
}

EDGECNN_KERNEL void edgecnn_squared_difference(const edgecnn_pairs *n, const edgecnn_square *s, const int8_t *a,
                                               const int8_t *b, int8_t *output) {
    for (int row = 0; row < n->rows; ++row, a += n->a_step, b += n->b_step, output += n->channels) {
        for (int i = 0; i < n->channels; ++i) {
            const int32_t difference = edgecnn_scale_7(&s->first, a[i]) - edgecnn_scale_7(&s->second, b[i]);
            const int32_t y = edgecnn_rdpot(edgecnn_srdhm(difference * difference, s->multiplier), s->right_shift);
            output[i] = (int8_t)edgecnn_clamp_int8(y + s->zero_point);
        }
    }
}

EDGECNN_KERNEL void edgecnn_extreme(const edgecnn_pairs *n, int largest, const int8_t *a, const int8_t *b,
                                    int8_t *output) {
    for (int row = 0; row < n->rows; ++row, a += n->a_step, b += n->b_step, output += n->channels)
        for (int i = 0; i < n->channels; ++i)
            output[i] = (int8_t)(largest ? edgecnn_max(a[i], b[i]) : edgecnn_min(a[i], b[i]));
}

/* x above the zero point times one factor, below times one of its channel. */
typedef struct {
    int32_t zero_point, alpha_zero_point, output_zero_point;
    int32_t positive, negative;         /* multipliers */
    int positive_shift, negative_shift; /* positive: left */
} edgecnn_slopes;

EDGECNN_INLINE int32_t edgecnn_multiply(int32_t x, int32_t multiplier, int shift) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    return edgecnn_rdpot(edgecnn_srdhm(edgecnn_shift_left(x, left), multiplier), right);
}

EDGECNN_KERNEL void edgecnn_prelu(int rows, int channels, const edgecnn_slopes *s, const int8_t *alpha,
                                  const int8_t *input, int8_t *output) {
    for (int row = 0; row < rows; ++row, input += channels, output += channels) {
        for (int i = 0; i < channels; ++i) {
            const int32_t x = input[i] - s->zero_point;
            const int32_t y =
                x >= 0 ? edgecnn_multiply(x, s->positive, s->positive_shift)
                       : edgecnn_multiply(x * (alpha[i] - s->alpha_zero_point), s->negative, s->negative_shift);
            output[i] = (int8_t)edgecnn_clamp(y + s->output_zero_point, -128, 127);
        }
    }
}

#endif
