/* int32 sums of products -> int8. The generator proves which form is exact for a layer and writes its table. */
#ifndef EDGECNN_REQUANTIZE_H
#define EDGECNN_REQUANTIZE_H

#include "edgecnn_base.h"

enum edgecnn_form {
    /* (((sum << pre_shift) * multiplier >> 32) + addend) >> shift; table: {multiplier, addend} a channel.
     * Bias, zero point and rounding are in the addend. Proved equal to the reference over every reachable sum. */
    EDGECNN_LINE,
    /* The same, where results below the zero point round the other way: what is negative before `offset` is added falls
     * by `drop`; table: {multiplier, addend, drop}. */
    EDGECNN_SIGNED_LINE,
    /* (sum * multiplier + addend) >> shift in 64 bits; table: {multiplier, addend low, addend high}. */
    EDGECNN_WIDE_LINE,
    /* TFLite's two roundings as they are; table: {multiplier, bias, shift (positive: left)}. */
    EDGECNN_TWICE,
    /* round(sum * multiplier + addend) as float32; table: the bits of {multiplier, addend}. Proved equal to the
     * reference for one rounding of float32 and for float64; for AVX2 also with products rounded by themselves, under
     * the default rounding. Only kernels for x86-64 have it. */
    EDGECNN_FLOAT_LINE,
    /* The same with another addend for sums below a limit; table: {multiplier, addend, limit, addend below}. */
    EDGECNN_SIGNED_FLOAT_LINE
};

typedef struct {
    enum edgecnn_form form;
    const int32_t *table;
    int pre_shift;  /* EDGECNN_LINE, EDGECNN_SIGNED_LINE: 0 to 30 */
    int shift;      /* 0 to 30; EDGECNN_WIDE_LINE: 0 to 52 */
    int32_t offset; /* EDGECNN_SIGNED_LINE: zero point and rounding; EDGECNN_TWICE: zero point */
    int32_t clamp_min, clamp_max;
} edgecnn_requantization;

/* Words of the table for one channel. */
EDGECNN_INLINE int edgecnn_table_words(const edgecnn_requantization *r) { return r->form == EDGECNN_LINE ? 2 : 3; }

EDGECNN_INLINE int edgecnn_is_float(const edgecnn_requantization *r) {
    return r->form == EDGECNN_FLOAT_LINE || r->form == EDGECNN_SIGNED_FLOAT_LINE;
}

/* One sum as vectors make floats of it, from -129 to 128; t: the channel's place in a table by columns of `lanes`. */
EDGECNN_INLINE int32_t edgecnn_requantize_float(const edgecnn_requantization *r, int32_t sum, const int32_t *t,
                                                int lanes) {
    const int below = r->form == EDGECNN_SIGNED_FLOAT_LINE && sum < t[2 * lanes];
    union {
        int32_t bits;
        float number;
    } multiplier, addend;
    double y;
    multiplier.bits = t[0];
    addend.bits = t[below ? 3 * lanes : lanes];
    y = (double)sum * (double)multiplier.number + (double)addend.number;
    y = y < -129.0 ? -129.0 : y > 128.0 ? 128.0 : y;
    /* Truncation rounds down what is positive. */
    return (int32_t)(y + 256.5) - 256;
}

/* 2^scale times the sum of products of one output channel, without its bias -> int8, as int32. */
EDGECNN_STEP int32_t edgecnn_requantize_scaled(const edgecnn_requantization *r, int channel, int32_t scaled,
                                               int scale) {
    const int32_t *t = r->table + channel * edgecnn_table_words(r);
    const int32_t sum = scaled >> scale;
    int32_t y;
    if (r->form == EDGECNN_LINE || r->form == EDGECNN_SIGNED_LINE) {
        const int32_t shifted = r->pre_shift >= scale ? edgecnn_shift_left(scaled, r->pre_shift - scale)
                                                      : edgecnn_shift_left(sum, r->pre_shift);
        y = edgecnn_high_mul_add(shifted, t[0], t[1]);
        if (r->form == EDGECNN_SIGNED_LINE)
            y += ((y >> 31) & t[2]) + r->offset;
        y >>= r->shift;
    } else if (r->form == EDGECNN_WIDE_LINE) {
        const int64_t addend = (int64_t)(((uint64_t)(uint32_t)t[2] << 32) | (uint32_t)t[1]);
        y = (int32_t)(((int64_t)sum * t[0] + addend) >> r->shift);
    } else {
        const int left = t[2] > 0 ? (int)t[2] : 0;
        const int right = t[2] < 0 ? (int)-t[2] : 0;
        y = edgecnn_srdhm(edgecnn_shift_left(sum + t[1], left), t[0]);
        y = edgecnn_rdpot(y, right) + r->offset;
    }
    if (r->clamp_min == -128 && r->clamp_max == 127)
        return edgecnn_clamp_int8(y);
    return edgecnn_clamp(y, r->clamp_min, r->clamp_max);
}

/* The same of the sum itself. */
EDGECNN_INLINE int32_t edgecnn_requantize(const edgecnn_requantization *r, int channel, int32_t sum) {
    return edgecnn_requantize_scaled(r, channel, sum, 0);
}

#endif
