/* Armv8.1-M MVE (Helium) as functions, and the same in plain C for every other machine. */
#ifndef EDGECNN_MVE_H
#define EDGECNN_MVE_H

#include "edgecnn_requantize.h"

#if defined(__ARM_FEATURE_MVE) && !defined(EDGECNN_NO_SIMD)
#include <arm_mve.h>
#define EDGECNN_HAS_MVE 1
typedef int32x4_t edgecnn_v4;
#else
#define EDGECNN_HAS_MVE 0
typedef struct {
    int32_t lane[4];
} edgecnn_v4;
#endif

EDGECNN_INLINE edgecnn_v4 edgecnn_v4_zero(void) {
#if EDGECNN_HAS_MVE
    return vdupq_n_s32(0);
#else
    edgecnn_v4 v = {{0, 0, 0, 0}};
    return v;
#endif
}

EDGECNN_INLINE edgecnn_v4 edgecnn_v4_load(const int32_t *from) {
#if EDGECNN_HAS_MVE
    return vld1q_s32(from);
#else
    edgecnn_v4 v = {{from[0], from[1], from[2], from[3]}};
    return v;
#endif
}

EDGECNN_INLINE edgecnn_v4 edgecnn_v4_max(edgecnn_v4 a, edgecnn_v4 b) {
#if EDGECNN_HAS_MVE
    return vmaxq_s32(a, b);
#else
    for (int i = 0; i < 4; ++i)
        a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
    return a;
#endif
}

/* sums + x * w of four channels. */
EDGECNN_INLINE edgecnn_v4 edgecnn_v4_add_products(edgecnn_v4 sums, const int8_t *x, const int8_t *w) {
#if EDGECNN_HAS_MVE
    return vaddq_s32(sums, vmulq_s32(vldrbq_s32(x), vldrbq_s32(w)));
#else
    for (int i = 0; i < 4; ++i)
        sums.lane[i] += x[i] * w[i];
    return sums;
#endif
}

/* sums + x * w of four channels with one x for all. */
EDGECNN_INLINE edgecnn_v4 edgecnn_v4_add_scaled(edgecnn_v4 sums, int32_t x, const int8_t *w) {
#if EDGECNN_HAS_MVE
    return vmlaq_n_s32(sums, vldrbq_s32(w), x);
#else
    for (int i = 0; i < 4; ++i)
        sums.lane[i] += x * w[i];
    return sums;
#endif
}

/* Requantize the sums of the four channels from c on; write the first `count`. Tables are by columns here: four
 * multipliers, four addends and, for EDGECNN_SIGNED_LINE, four drops. `larger`: keep what is there where that is
 * larger. */
EDGECNN_INLINE void edgecnn_v4_store(const edgecnn_requantization *r, int c, edgecnn_v4 sums, int count, int larger,
                                     int8_t *to) {
    const int32_t *t = r->table + c * edgecnn_table_words(r);
#if EDGECNN_HAS_MVE
    int32x4_t y = vshlq_r_s32(sums, r->pre_shift);
    y = vaddq_s32(vmulhq_s32(y, vld1q_s32(t)), vld1q_s32(t + 4));
    if (r->form == EDGECNN_SIGNED_LINE) {
        y = vaddq_s32(y, vandq_s32(vshrq_n_s32(y, 31), vld1q_s32(t + 8)));
        y = vaddq_n_s32(y, r->offset);
    }
    y = vshlq_r_s32(y, -r->shift);
    y = vmaxq_s32(y, vdupq_n_s32(r->clamp_min));
    y = vminq_s32(y, vdupq_n_s32(r->clamp_max));
    if (count >= 4) {
        if (larger)
            y = vmaxq_s32(y, vldrbq_s32(to));
        vstrbq_s32(to, y);
    } else {
        const mve_pred16_t some = vctp32q((uint32_t)count);
        if (larger)
            y = vmaxq_s32(y, vldrbq_z_s32(to, some));
        vstrbq_p_s32(to, y, some);
    }
#else
    for (int i = 0; i < 4 && i < count; ++i) {
        int32_t y = edgecnn_high_mul_add(edgecnn_shift_left(sums.lane[i], r->pre_shift), t[i], t[4 + i]);
        if (r->form == EDGECNN_SIGNED_LINE)
            y += ((y >> 31) & t[8 + i]) + r->offset;
        y = edgecnn_clamp(y >> r->shift, r->clamp_min, r->clamp_max);
        to[i] = (int8_t)(larger ? edgecnn_max(to[i], y) : y);
    }
#endif
}

#endif
