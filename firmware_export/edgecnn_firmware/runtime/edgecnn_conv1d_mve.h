/* Conv1D for Armv8.1-M MVE: two rows by four output channels, sixteen products at a time. */
#ifndef EDGECNN_CONV1D_MVE_H
#define EDGECNN_CONV1D_MVE_H

#include "edgecnn_mve.h"
#include "edgecnn_patch.h"

#if EDGECNN_HAS_MVE && defined(__GNUC__) && !defined(EDGECNN_NO_ASM)
/* The same as the C below. VMLADAV sums into even registers: all eight of them are in use. */
void edgecnn_dot_2x4_mve(const int8_t *a, const int8_t *b, const int8_t *w, int32_t *sums, int steps);
__asm__(".pushsection .text.edgecnn_dot_2x4_mve, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"
        ".weak edgecnn_dot_2x4_mve\n"
        ".type edgecnn_dot_2x4_mve, %function\n"
        "edgecnn_dot_2x4_mve:\n"
        "push {r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldr r3, [sp, #40]\n"
        "mov r5, r2\n"
        "mov r7, r1\n"
        "mov r1, r0\n"
        "movs r0, #0\n"
        "movs r2, #0\n"
        "movs r4, #0\n"
        "movs r6, #0\n"
        "mov r8, r0\n"
        "mov r10, r0\n"
        "mov r12, r0\n"
        "mov lr, r0\n"
        "1:\n"
        "vldrb.8 q0, [r1], #16\n"
        "vldrb.8 q2, [r5], #16\n"
        "vldrb.8 q1, [r7], #16\n"
        "vmladava.s8 r0, q0, q2\n"
        "vldrb.8 q3, [r5], #16\n"
        "vmladava.s8 r8, q1, q2\n"
        "vldrb.8 q2, [r5], #16\n"
        "vmladava.s8 r2, q0, q3\n"
        "vmladava.s8 r10, q1, q3\n"
        "vldrb.8 q3, [r5], #16\n"
        "vmladava.s8 r4, q0, q2\n"
        "vmladava.s8 r12, q1, q2\n"
        "vmladava.s8 r6, q0, q3\n"
        "vmladava.s8 lr, q1, q3\n"
        "subs r3, r3, #1\n"
        "bne 1b\n"
        "ldr r1, [sp]\n"
        "stmia r1, {r0, r2, r4, r6, r8, r10, r12, lr}\n"
        "pop {r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        ".size edgecnn_dot_2x4_mve, . - edgecnn_dot_2x4_mve\n"
        ".popsection\n");
#else
/* sums: four channels of the first row, four of the second; `steps` times sixteen products. */
EDGECNN_INLINE void edgecnn_dot_2x4_mve(const int8_t *a, const int8_t *b, const int8_t *w, int32_t *sums, int steps) {
    for (int i = 0; i < 8; ++i)
        sums[i] = 0;
    for (; steps > 0; --steps, a += 16, b += 16)
        for (int c = 0; c < 4; ++c, w += 16)
            for (int i = 0; i < 16; ++i) {
                sums[c] += a[i] * w[i];
                sums[4 + c] += b[i] * w[i];
            }
}
#endif

/* The patch of one row and what makes it up to `padded` bytes: a slice of the input where that ends inside it, else a
 * copy in `spare`. What follows the patch meets weights of zero. */
EDGECNN_INLINE const int8_t *edgecnn_padded_slice(const edgecnn_window *window, const int8_t *input, int row,
                                                  int padded, int8_t *spare) {
    const int from = row * window->stride - window->pad_before;
    const int whole = window->dilation == 1 && from >= 0 && from * window->in + padded <= window->length * window->in;
    if (whole)
        return input + from * window->in;
    edgecnn_gather(window, input, row, spare);
    edgecnn_fill(spare + window->kernel * window->in, 0, padded - window->kernel * window->in);
    return spare;
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each four channels, for each sixteen
 * products, 4 x 16 bytes; zeros fill up. `scratch`: 2 * kernel * in bytes, each rounded up to 16. The output lies as
 * for edgecnn_conv1d. */
EDGECNN_KERNEL void edgecnn_conv1d_mve(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const int8_t *input, const int8_t *weights, int8_t *output, int8_t *scratch) {
    const int padded = (window->kernel * window->in + 15) / 16 * 16;
    const int group = window->pool == 1 ? 2 : window->pool;
    const int conv_rows = window->rows * window->pool;
    for (int first = 0; first < conv_rows; first += group) {
        int8_t *to = output + first / window->pool * window->out;
        for (int pair = 0; pair < group; pair += 2) {
            const int row = first + pair;
            const int has_second = pair + 1 < group && row + 1 < conv_rows;
            const int8_t *a = edgecnn_padded_slice(window, input, row, padded, scratch);
            const int8_t *b = has_second ? edgecnn_padded_slice(window, input, row + 1, padded, scratch + padded) : a;
            const int8_t *w = weights;
            for (int c = 0; c < window->out; c += 4, w += 4 * padded) {
                const int count = window->out % 4 == 0 ? 4 : window->out - c;
                int32_t sums[8];
                edgecnn_dot_2x4_mve(a, b, w, sums, padded / 16);
                edgecnn_v4 y = edgecnn_v4_load(sums);
                if (window->pool > 1) {
                    y = edgecnn_v4_max(y, edgecnn_v4_load(sums + 4));
                    edgecnn_v4_store(requantization, c, y, count, pair > 0, to + c);
                } else {
                    edgecnn_v4_store(requantization, c, y, count, 0, to + c);
                    if (has_second)
                        edgecnn_v4_store(requantization, c, edgecnn_v4_load(sums + 4), count, 0, to + window->out + c);
                }
            }
        }
    }
}

#endif
