/* ADD and SUB for NEON of 64-bit Arm: eight elements at a time. */
#ifndef EDGECNN_ELEMENTWISE_NEON_H
#define EDGECNN_ELEMENTWISE_NEON_H

#include "edgecnn_elementwise.h"
#include "edgecnn_neon.h"

#if EDGECNN_HAS_NEON
/* x * m >> 8 of four bytes as they come from vshll_n_s8(x, 7): 2^23 times a byte fits a lane, and the instruction's
 * doubling is the 24th bit of what makes its high half the product shifted by 8. */
EDGECNN_INLINE int32x4_t edgecnn_neon_part(int16x4_t x, int32_t m) {
    return vqdmulhq_s32(vshll_n_s16(x, 16), vdupq_n_s32(m));
}

EDGECNN_INLINE int32x4_t edgecnn_neon_finish_line(const edgecnn_pair_line *l, int32x4_t first, int32x4_t second) {
    int32x4_t t = vaddq_s32(vaddq_s32(first, second), vdupq_n_s32(l->addend));
    if (l->drop)
        t = vaddq_s32(t, vandq_s32(vshrq_n_s32(t, 31), vdupq_n_s32(l->drop)));
    return vshlq_s32(vaddq_s32(t, vdupq_n_s32(l->offset)), vdupq_n_s32(-l->shift));
}
#endif

/* edgecnn_add_line for two operands of n elements, a multiple of 8. */
EDGECNN_KERNEL void edgecnn_add_line_neon(int n, const edgecnn_pair_line *l, const int8_t *a, const int8_t *b,
                                          int8_t *output) {
#if EDGECNN_HAS_NEON
    for (int i = 0; i < n; i += 8) {
        const int16x8_t x = vshll_n_s8(vld1_s8(a + i), 7), y = vshll_n_s8(vld1_s8(b + i), 7);
        const int32x4_t low = edgecnn_neon_finish_line(l, edgecnn_neon_part(vget_low_s16(x), l->first),
                                                       edgecnn_neon_part(vget_low_s16(y), l->second));
        const int32x4_t high = edgecnn_neon_finish_line(l, edgecnn_neon_part(vget_high_s16(x), l->first),
                                                        edgecnn_neon_part(vget_high_s16(y), l->second));
        int8x8_t found = vqmovn_s16(vqmovn_high_s32(vqmovn_s32(low), high));
        if (l->clamp_min != -128)
            found = vmax_s8(found, vdup_n_s8((int8_t)l->clamp_min));
        if (l->clamp_max != 127)
            found = vmin_s8(found, vdup_n_s8((int8_t)l->clamp_max));
        vst1_s8(output + i, found);
    }
#else
    const edgecnn_pairs whole = {1, n, n, n};
    edgecnn_add_line(&whole, l, a, b, output);
#endif
}

#endif
