/* Dense layers for Armv7E-M: one row by four output channels at a time. */
#ifndef EDGECNN_DENSE_DSP_H
#define EDGECNN_DENSE_DSP_H

#include "edgecnn_conv1d_dsp.h"

/* Input (rows, in), output (rows, out), int8 and row-major; weights packed as in edgecnn_conv1d_dsp.h. The output lies
 * clear of the input. `scratch`, aligned to 4: 2 bytes for each of `in` products rounded up to 8. */
EDGECNN_KERNEL void edgecnn_dense_dsp(int rows, int in, int out, const edgecnn_requantization *requantization,
                                      const int8_t *input, const uint32_t *weights, int8_t *output, int8_t *scratch) {
    const int words = (in + 7) / 8 * 4;
    uint32_t *const x = (uint32_t *)(void *)scratch;
    for (int row = 0; row < rows; ++row, input += in, output += out) {
        const uint32_t *w = weights;
        uint32_t *to = x;
        for (int i = 0; i + 4 <= in; i += 4) {
            const uint32_t four = edgecnn_load4(input + i);
            *to++ = edgecnn_sxtb16(four);
            *to++ = edgecnn_sxtb16_odd(four);
        }
        if (in % 4) {
            const uint32_t rest = edgecnn_load_up_to_3(input + in / 4 * 4, in % 4);
            *to++ = edgecnn_sxtb16(rest);
            *to++ = edgecnn_sxtb16_odd(rest);
        }
        if ((in + 3) / 4 % 2)
            to[0] = to[1] = 0;
        for (int c = 0; c < out; c += 4) {
            int32_t p0 = 0, q0 = 0, p1 = 0, q1 = 0;
            for (int i = 0; i < words; ++i, w += 2) {
                const uint32_t ab = w[0], cd = w[1];
                p0 = edgecnn_smlad(x[i], ab, p0);
                p1 = edgecnn_smlad(x[i], cd, p1);
                q0 = edgecnn_smlad(x[i], edgecnn_sxtb16(ab), q0);
                q1 = edgecnn_smlad(x[i], edgecnn_sxtb16(cd), q1);
            }
            edgecnn_store_4(requantization, c, out, 0, output + c, q0, edgecnn_odd_channel(p0, q0), q1,
                            edgecnn_odd_channel(p1, q1));
        }
    }
}

#endif
