/* ADD and SUB for Armv7E-M: four elements at a time. */
#ifndef EDGECNN_ELEMENTWISE_DSP_H
#define EDGECNN_ELEMENTWISE_DSP_H

#include "edgecnn_dsp.h"
#include "edgecnn_elementwise.h"

EDGECNN_INLINE int8_t edgecnn_finish_line(const edgecnn_pair_line *l, int32_t t) {
    if (l->drop)
        t += (t >> 31) & l->drop;
    t = (t + l->offset) >> l->shift;
    return (int8_t)(l->clamp_min == -128 && l->clamp_max == 127 ? edgecnn_clamp_int8(t)
                                                                : edgecnn_clamp(t, l->clamp_min, l->clamp_max));
}

/* edgecnn_add_line for two operands of n elements, a multiple of 4. A byte times 256 fills the high byte of a half,
 * which SMLAW multiplies and shifts back in one instruction. */
EDGECNN_KERNEL void edgecnn_add_line_dsp(int n, const edgecnn_pair_line *l, const int8_t *a, const int8_t *b,
                                         int8_t *output) {
    for (int i = 0; i < n; i += 4) {
        const uint32_t x = edgecnn_load4(a + i), y = edgecnn_load4(b + i);
        const uint32_t x_odd = x & 0xff00ff00u, x_even = (x << 8) & 0xff00ff00u;
        const uint32_t y_odd = y & 0xff00ff00u, y_even = (y << 8) & 0xff00ff00u;
        output[i] =
            edgecnn_finish_line(l, edgecnn_smlawb(l->second, y_even, edgecnn_smlawb(l->first, x_even, l->addend)));
        output[i + 1] =
            edgecnn_finish_line(l, edgecnn_smlawb(l->second, y_odd, edgecnn_smlawb(l->first, x_odd, l->addend)));
        output[i + 2] =
            edgecnn_finish_line(l, edgecnn_smlawt(l->second, y_even, edgecnn_smlawt(l->first, x_even, l->addend)));
        output[i + 3] =
            edgecnn_finish_line(l, edgecnn_smlawt(l->second, y_odd, edgecnn_smlawt(l->first, x_odd, l->addend)));
    }
}

#endif
