/* NEON of 64-bit Arm as functions on eight output channels, and the same in plain C for every other machine. Where the
 * compiler may use the dot product (-march=armv8.2-a+dotprod, -mcpu=cortex-a76), sums take a quarter of the
 * instructions. */
#ifndef EDGECNN_NEON_H
#define EDGECNN_NEON_H

#include "edgecnn_patch.h"
#include "edgecnn_requantize.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__) && !defined(EDGECNN_NO_SIMD)
#include <arm_neon.h>
#define EDGECNN_HAS_NEON 1
#else
#define EDGECNN_HAS_NEON 0
#endif

#if EDGECNN_HAS_NEON && defined(__ARM_FEATURE_DOTPROD)
#define EDGECNN_HAS_DOT 1
#else
#define EDGECNN_HAS_DOT 0
#endif

/* Rows at a time. */
#define EDGECNN_NEON_ROWS 4

/* Bytes of a row that edgecnn_n8_add_step takes, and groups of eight channels whose sums fit in the registers. */
#if EDGECNN_HAS_NEON && !EDGECNN_HAS_DOT
#define EDGECNN_NEON_STEP 8
#define EDGECNN_NEON_EIGHTS 1
#else
#define EDGECNN_NEON_STEP 16
#define EDGECNN_NEON_EIGHTS 2
#endif

/* Sums of eight channels. Without dot product each is in two parts until edgecnn_n8_total: `low` and `high` hold
 * channels 0 and 1 and channels 2 and 3, `low2` and `high2` the other four. Whole sums are in `low` and `high` alone.
 * edgecnn_b8 is what they become. */
#if EDGECNN_HAS_NEON
typedef struct {
    int32x4_t low, high;
#if !EDGECNN_HAS_DOT
    int32x4_t low2, high2;
#endif
} edgecnn_n8;
typedef int8x8_t edgecnn_b8;
#else
typedef struct {
    int32_t lane[8];
} edgecnn_n8;
typedef struct {
    int8_t lane[8];
} edgecnn_b8;
#endif

EDGECNN_INLINE edgecnn_n8 edgecnn_n8_zero(void) {
    edgecnn_n8 sums;
#if EDGECNN_HAS_NEON
    sums.low = sums.high = vdupq_n_s32(0);
#if !EDGECNN_HAS_DOT
    sums.low2 = sums.high2 = vdupq_n_s32(0);
#endif
#else
    for (int i = 0; i < 8; ++i)
        sums.lane[i] = 0;
#endif
    return sums;
}

#if EDGECNN_HAS_NEON
/* Four bytes, four times. */
EDGECNN_INLINE int8x16_t edgecnn_neon_repeat(const int8_t *x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
#endif

#if EDGECNN_HAS_NEON && !EDGECNN_HAS_DOT
/* Two parts of the sums of four channels += products of four bytes of x. */
EDGECNN_INLINE void edgecnn_neon_add_quad(int32x4_t *low, int32x4_t *high, int8x16_t x, int8x16_t w) {
    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(x), vget_low_s8(w)));
    *high = vpadalq_s16(*high, vmull_high_s8(x, w));
}

/* The same with eight bytes, where no weight is -128: two products then fit 16 bits, 2 * 128 * 127 < 2^15. */
EDGECNN_INLINE void edgecnn_neon_add_quads(int32x4_t *low, int32x4_t *high, int8x16_t x0, int8x16_t w0, int8x16_t x1,
                                           int8x16_t w1) {
    const int16x8_t first = vmull_s8(vget_low_s8(x0), vget_low_s8(w0));
    const int16x8_t second = vmull_high_s8(x0, w0);
    *low = vpadalq_s16(*low, vmlal_s8(first, vget_low_s8(x1), vget_low_s8(w1)));
    *high = vpadalq_s16(*high, vmlal_high_s8(second, x1, w1));
}
#endif

/* sums[i] += sum over j of x[j] * w[4 i + j], four of them. */
EDGECNN_INLINE edgecnn_n8 edgecnn_n8_add_quad(edgecnn_n8 sums, const int8_t *x, const int8_t *w) {
#if EDGECNN_HAS_DOT
    const int8x16_t four = edgecnn_neon_repeat(x);
    sums.low = vdotq_s32(sums.low, vld1q_s8(w), four);
    sums.high = vdotq_s32(sums.high, vld1q_s8(w + 16), four);
#elif EDGECNN_HAS_NEON
    const int8x16_t four = edgecnn_neon_repeat(x);
    edgecnn_neon_add_quad(&sums.low, &sums.high, four, vld1q_s8(w));
    edgecnn_neon_add_quad(&sums.low2, &sums.high2, four, vld1q_s8(w + 16));
#else
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 4; ++j)
            sums.lane[i] += x[j] * w[4 * i + j];
#endif
    return sums;
}

/* The same for EDGECNN_NEON_STEP bytes of x and as many quads of weights; `small`: no weight is -128. */
EDGECNN_INLINE edgecnn_n8 edgecnn_n8_add_step(edgecnn_n8 sums, const int8_t *x, const int8_t *w, int small) {
#if EDGECNN_HAS_DOT
    const int8x16_t row = vld1q_s8(x);
    (void)small;
    sums.low = vdotq_laneq_s32(sums.low, vld1q_s8(w), row, 0);
    sums.high = vdotq_laneq_s32(sums.high, vld1q_s8(w + 16), row, 0);
    sums.low = vdotq_laneq_s32(sums.low, vld1q_s8(w + 32), row, 1);
    sums.high = vdotq_laneq_s32(sums.high, vld1q_s8(w + 48), row, 1);
    sums.low = vdotq_laneq_s32(sums.low, vld1q_s8(w + 64), row, 2);
    sums.high = vdotq_laneq_s32(sums.high, vld1q_s8(w + 80), row, 2);
    sums.low = vdotq_laneq_s32(sums.low, vld1q_s8(w + 96), row, 3);
    sums.high = vdotq_laneq_s32(sums.high, vld1q_s8(w + 112), row, 3);
    return sums;
#elif EDGECNN_HAS_NEON
    if (small) {
        const int32x2_t row = vreinterpret_s32_s8(vld1_s8(x));
        const int8x16_t x0 = vreinterpretq_s8_s32(vdupq_lane_s32(row, 0));
        const int8x16_t x1 = vreinterpretq_s8_s32(vdupq_lane_s32(row, 1));
        edgecnn_neon_add_quads(&sums.low, &sums.high, x0, vld1q_s8(w), x1, vld1q_s8(w + 32));
        edgecnn_neon_add_quads(&sums.low2, &sums.high2, x0, vld1q_s8(w + 16), x1, vld1q_s8(w + 48));
        return sums;
    }
    return edgecnn_n8_add_quad(edgecnn_n8_add_quad(sums, x, w), x + 4, w + 32);
#else
    (void)small;
    for (int i = 0; i < EDGECNN_NEON_STEP; i += 4)
        sums = edgecnn_n8_add_quad(sums, x + i, w + 8 * i);
    return sums;
#endif
}

/* Sums made whole. */
EDGECNN_INLINE edgecnn_n8 edgecnn_n8_total(edgecnn_n8 sums) {
#if EDGECNN_HAS_NEON && !EDGECNN_HAS_DOT
    sums.low = vpaddq_s32(sums.low, sums.high);
    sums.high = vpaddq_s32(sums.low2, sums.high2);
#endif
    return sums;
}

/* Whole sums[i] += x0[i] * w0[i] + x1[i] * w1[i]; `small`: no weight is -128. */
EDGECNN_INLINE edgecnn_n8 edgecnn_n8_add_products(edgecnn_n8 sums, const int8_t *x0, const int8_t *w0, const int8_t *x1,
                                                  const int8_t *w1, int small) {
#if EDGECNN_HAS_NEON
    const int16x8_t first = vmull_s8(vld1_s8(x0), vld1_s8(w0));
    if (small) {
        const int16x8_t both = vmlal_s8(first, vld1_s8(x1), vld1_s8(w1));
        sums.low = vaddw_s16(sums.low, vget_low_s16(both));
        sums.high = vaddw_high_s16(sums.high, both);
    } else {
        const int16x8_t second = vmull_s8(vld1_s8(x1), vld1_s8(w1));
        sums.low = vaddw_s16(vaddw_s16(sums.low, vget_low_s16(first)), vget_low_s16(second));
        sums.high = vaddw_high_s16(vaddw_high_s16(sums.high, first), second);
    }
#else
    (void)small;
    for (int i = 0; i < 8; ++i)
        sums.lane[i] += x0[i] * w0[i] + x1[i] * w1[i];
#endif
    return sums;
}

/* Of whole sums. */
EDGECNN_INLINE edgecnn_n8 edgecnn_n8_max(edgecnn_n8 a, edgecnn_n8 b) {
#if EDGECNN_HAS_NEON
    a.low = vmaxq_s32(a.low, b.low);
    a.high = vmaxq_s32(a.high, b.high);
#else
    for (int i = 0; i < 8; ++i)
        a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
#endif
    return a;
}

#if EDGECNN_HAS_NEON
/* Four sums, neither clamped nor narrowed; t: the first of their multipliers. */
EDGECNN_INLINE int32x4_t edgecnn_neon_requantize(const edgecnn_requantization *r, int32x4_t sums, const int32_t *t) {
    const int32x4_t m = vld1q_s32(t);
    int32x4_t y;
    if (r->pre_shift > 0) {
        /* The doubling of this instruction is one of the shifts. */
        y = vqdmulhq_s32(vshlq_s32(sums, vdupq_n_s32(r->pre_shift - 1)), m);
    } else {
        const int64x2_t low = vmull_s32(vget_low_s32(sums), vget_low_s32(m));
        y = vuzp2q_s32(vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(vmull_high_s32(sums, m)));
    }
    y = vaddq_s32(y, vld1q_s32(t + 8));
    if (r->form == EDGECNN_SIGNED_LINE) {
        const int32x4_t drop = vandq_s32(vshrq_n_s32(y, 31), vld1q_s32(t + 16));
        y = vaddq_s32(vaddq_s32(y, drop), vdupq_n_s32(r->offset));
    }
    return vshlq_s32(y, vdupq_n_s32(-r->shift));
}
#endif

/* Requantize whole sums of the eight channels from c on; tables are by columns here: eight multipliers, eight addends
 * and, for EDGECNN_SIGNED_LINE, eight drops. */
EDGECNN_INLINE edgecnn_b8 edgecnn_n8_requantize(const edgecnn_requantization *r, int c, edgecnn_n8 sums) {
    const int32_t *t = r->table + c * edgecnn_table_words(r);
#if EDGECNN_HAS_NEON
    const int16x4_t low = vqmovn_s32(edgecnn_neon_requantize(r, sums.low, t));
    edgecnn_b8 y = vqmovn_s16(vqmovn_high_s32(low, edgecnn_neon_requantize(r, sums.high, t + 4)));
    if (r->clamp_min != -128)
        y = vmax_s8(y, vdup_n_s8((int8_t)r->clamp_min));
    if (r->clamp_max != 127)
        y = vmin_s8(y, vdup_n_s8((int8_t)r->clamp_max));
    return y;
#else
    edgecnn_b8 bytes;
    for (int i = 0; i < 8; ++i) {
        int32_t y = edgecnn_high_mul_add(edgecnn_shift_left(sums.lane[i], r->pre_shift), t[i], t[8 + i]);
        if (r->form == EDGECNN_SIGNED_LINE)
            y += ((y >> 31) & t[16 + i]) + r->offset;
        bytes.lane[i] = (int8_t)edgecnn_clamp(y >> r->shift, r->clamp_min, r->clamp_max);
    }
    return bytes;
#endif
}

/* Write the first `count`. `larger`: keep what is there where that is larger. */
EDGECNN_INLINE void edgecnn_b8_store(edgecnn_b8 y, int count, int larger, int8_t *to) {
#if EDGECNN_HAS_NEON
    int8_t lane[8];
    if (count >= 8) {
        vst1_s8(to, larger ? vmax_s8(y, vld1_s8(to)) : y);
        return;
    }
    vst1_s8(lane, y);
#else
    const int8_t *const lane = y.lane;
#endif
    for (int i = 0; i < 8 && i < count; ++i)
        to[i] = larger && to[i] > lane[i] ? to[i] : lane[i];
}

/* Copy without a call. */
EDGECNN_INLINE void edgecnn_neon_copy(int8_t *to, const int8_t *from, int bytes) {
    int i = 0;
#if EDGECNN_HAS_NEON
    for (; i + 16 <= bytes; i += 16)
        vst1q_s8(to + i, vld1q_s8(from + i));
#endif
    edgecnn_copy(to + i, from + i, bytes - i);
}

/* Copy the input and its padding, as far as the last of `conv_rows` rows looks, with `spare` bytes behind. */
EDGECNN_INLINE void edgecnn_neon_pad(const edgecnn_window *window, const int8_t *input, int conv_rows, int spare,
                                     int8_t *to) {
    const int last = (conv_rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = last > window->length + window->pad_before ? last : window->length + window->pad_before;
    const int before = window->pad_before * window->in, middle = window->length * window->in;
    edgecnn_fill(to, window->zero_point, before);
    edgecnn_neon_copy(to + before, input, middle);
    edgecnn_fill(to + before + middle, window->zero_point, total * window->in + spare - before - middle);
}

#endif
