/* ADD and SUB for Armv8.1-M MVE: four elements at a time. */
#ifndef EDGECNN_ELEMENTWISE_MVE_H
#define EDGECNN_ELEMENTWISE_MVE_H

#include "edgecnn_elementwise.h"
#include "edgecnn_mve.h"

#if EDGECNN_HAS_MVE
/* x * m >> 8 of four bytes: the high half of 2^24 x times m. */
EDGECNN_INLINE int32x4_t edgecnn_mve_part(const int8_t *x, int32_t m) {
    return vmulhq_s32(vshlq_n_s32(vldrbq_s32(x), 24), vdupq_n_s32(m));
}
#endif

/* edgecnn_add_line for two operands of n elements, a multiple of 4. */
EDGECNN_KERNEL void edgecnn_add_line_mve(int n, const edgecnn_pair_line *l, const int8_t *a, const int8_t *b,
                                         int8_t *output) {
#if EDGECNN_HAS_MVE
    for (int i = 0; i < n; i += 4) {
        int32x4_t t = vaddq_s32(edgecnn_mve_part(a + i, l->first), edgecnn_mve_part(b + i, l->second));
        t = vaddq_n_s32(t, l->addend);
        if (l->drop)
            t = vaddq_s32(t, vandq_s32(vshrq_n_s32(t, 31), vdupq_n_s32(l->drop)));
        t = vshlq_r_s32(vaddq_n_s32(t, l->offset), -l->shift);
        t = vminq_s32(vmaxq_s32(t, vdupq_n_s32(l->clamp_min)), vdupq_n_s32(l->clamp_max));
        vstrbq_s32(output + i, t);
    }
#else
    const edgecnn_pairs whole = {1, n, n, n};
    edgecnn_add_line(&whole, l, a, b, output);
#endif
}

#endif
