/* Depthwise Conv1D for Armv7E-M: four channels at a time, and two rows where they share input rows. */
#ifndef EDGECNN_DEPTHWISE1D_DSP_H
#define EDGECNN_DEPTHWISE1D_DSP_H

#include "edgecnn_dsp.h"
#include "edgecnn_patch.h"
#include "edgecnn_requantize.h"

typedef struct {
    int32_t s[4];
} edgecnn_sums4;

/* Add four channels of one input row times one tap; w holds channels 0 and 2, then 1 and 3, as halves. */
EDGECNN_INLINE void edgecnn_tap4(edgecnn_sums4 *sums, uint32_t even, uint32_t odd, const uint32_t *w) {
    sums->s[0] = edgecnn_smlabb(even, w[0], sums->s[0]);
    sums->s[1] = edgecnn_smlabb(odd, w[1], sums->s[1]);
    sums->s[2] = edgecnn_smlatt(even, w[0], sums->s[2]);
    sums->s[3] = edgecnn_smlatt(odd, w[1], sums->s[3]);
}

EDGECNN_INLINE void edgecnn_write4(const edgecnn_requantization *requantization, int c, const edgecnn_sums4 *sums,
                                   int8_t *to) {
    EDGECNN_UNROLL(4)
    for (int i = 0; i < 4; ++i)
        to[i] = (int8_t)edgecnn_requantize(requantization, c + i, sums->s[i]);
}

/* One row. */
EDGECNN_INLINE void edgecnn_depthwise_row(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const int8_t *input, const uint32_t *weights, int row, int8_t *output) {
    const int from = row * window->stride - window->pad_before;
    const uint32_t padding = (uint32_t)(uint8_t)window->zero_point * 0x01010101u;
    for (int c = 0; c < window->out; c += 4) {
        edgecnn_sums4 sums = {{0, 0, 0, 0}};
        for (int k = 0; k < window->kernel; ++k, weights += 2) {
            const int at = from + k * window->dilation;
            const int inside = window->direct || (at >= 0 && at < window->length);
            const uint32_t four = inside ? edgecnn_load4(input + at * window->in + c) : padding;
            edgecnn_tap4(&sums, edgecnn_sxtb16(four), edgecnn_sxtb16_odd(four), weights);
        }
        edgecnn_write4(requantization, c, &sums, output + row * window->out + c);
    }
}

/* Two rows whose patches lie inside the input, stride and dilation 1: each input row is read once for both. */
EDGECNN_INLINE void edgecnn_depthwise_pair(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const int8_t *input, const uint32_t *weights, int row, int8_t *output) {
    for (int c = 0; c < window->out; c += 4) {
        const int8_t *x = input + (row - window->pad_before) * window->in + c;
        edgecnn_sums4 first = {{0, 0, 0, 0}}, second = {{0, 0, 0, 0}};
        EDGECNN_UNROLL(8)
        for (int k = 0; k <= window->kernel; ++k, x += window->in) {
            const uint32_t four = edgecnn_load4(x);
            const uint32_t even = edgecnn_sxtb16(four), odd = edgecnn_sxtb16_odd(four);
            if (k < window->kernel)
                edgecnn_tap4(&first, even, odd, weights + 2 * k);
            if (k > 0)
                edgecnn_tap4(&second, even, odd, weights + 2 * (k - 1));
        }
        weights += 2 * window->kernel;
        edgecnn_write4(requantization, c, &first, output + row * window->out + c);
        edgecnn_write4(requantization, c, &second, output + (row + 1) * window->out + c);
    }
}

/* Input (length, in), output (rows, in), in a multiple of 4. weights: for each four channels, for each tap, two words
 * of halves: channels 0 and 2, then 1 and 3. The output may lie below the input in memory, clear of every row that is
 * still to be read, where rows are written in pairs. */
EDGECNN_KERNEL void edgecnn_depthwise1d_dsp(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                            const int8_t *input, const uint32_t *weights, int8_t *output) {
    int row = 0;
    while (row < window->rows) {
        const int from = row - window->pad_before;
        if (window->stride == 1 && window->dilation == 1 && row + 1 < window->rows && from >= 0 &&
            from + 1 + window->kernel <= window->length) {
            edgecnn_depthwise_pair(window, requantization, input, weights, row, output);
            row += 2;
        } else {
            edgecnn_depthwise_row(window, requantization, input, weights, row, output);
            row += 1;
        }
    }
}

#endif
