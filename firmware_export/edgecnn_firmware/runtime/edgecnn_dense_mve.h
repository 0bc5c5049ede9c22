/* Dense layers for Armv8.1-M MVE: four output channels, sixteen products at a time. */
#ifndef EDGECNN_DENSE_MVE_H
#define EDGECNN_DENSE_MVE_H

#include "edgecnn_mve.h"

/* Sums of four channels over `count` products; w: for each sixteen of them 4 x 16 bytes. */
EDGECNN_INLINE edgecnn_v4 edgecnn_v4_dots(const int8_t *x, const int8_t *w, int count) {
    int32_t sums[4] = {0, 0, 0, 0};
#if EDGECNN_HAS_MVE
    for (; count > 0; count -= 16, x += 16, w += 64) {
        /* What follows the last product is not read. */
        const int8x16_t some = vldrbq_z_s8(x, vctp8q((uint32_t)count));
        sums[0] = vmladavaq_s8(sums[0], some, vldrbq_s8(w));
        sums[1] = vmladavaq_s8(sums[1], some, vldrbq_s8(w + 16));
        sums[2] = vmladavaq_s8(sums[2], some, vldrbq_s8(w + 32));
        sums[3] = vmladavaq_s8(sums[3], some, vldrbq_s8(w + 48));
    }
#else
    for (int i = 0; i < count; ++i)
        for (int c = 0; c < 4; ++c)
            sums[c] += x[i] * w[i / 16 * 64 + 16 * c + i % 16];
#endif
    return edgecnn_v4_load(sums);
}

/* Input (rows, in), output (rows, out), int8 and row-major. weights: for each four channels, for each sixteen products,
 * 4 x 16 bytes; zeros fill up. The output lies clear of the input. */
EDGECNN_KERNEL void edgecnn_dense_mve(int rows, int in, int out, const edgecnn_requantization *requantization,
                                      const int8_t *input, const int8_t *weights, int8_t *output) {
    const int padded = (in + 15) / 16 * 16;
    for (int row = 0; row < rows; ++row, input += in, output += out) {
        const int8_t *w = weights;
        for (int c = 0; c < out; c += 4, w += 4 * padded)
            edgecnn_v4_store(requantization, c, edgecnn_v4_dots(input, w, in), out - c, 0, output + c);
    }
}

#endif
