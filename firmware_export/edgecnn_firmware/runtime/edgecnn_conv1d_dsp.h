/* Conv1D for Armv7E-M: two rows by four output channels at a time, four products an instruction pair. */
#ifndef EDGECNN_CONV1D_DSP_H
#define EDGECNN_CONV1D_DSP_H

#include "edgecnn_dsp.h"
#include "edgecnn_patch.h"
#include "edgecnn_requantize.h"

/* Weights. A half holds two output channels: wA + 256 * wB. SMLAD with such halves sums P = sum x * (wA + 256 * wB),
 * and with their low bytes, which SXTB16 takes out, Q = sum x * wA. Then P - Q is 256 * sum x * wB, exactly, modulo
 * 2^32: the generator proves that |sum x * wB| < 2^23. So one load and one SXTB16 serve four weights.
 *
 * A word holds two products of channels A and B; it is followed by the word for channels C and D. Of every four
 * products 0, 1, 2, 3 the first word holds 0 and 2, the next 1 and 3, because that is how SXTB16 parts the inputs.
 *
 * Inputs are widened once for a pair of rows: word 2p holds two products of the first row, word 2p + 1 of the second.
 */

#if EDGECNN_HAS_DSP && defined(__GNUC__) && defined(__thumb2__) && !defined(EDGECNN_NO_ASM)
#define EDGECNN_LOAD_PAIR                                                                                              \
    "ldrd r3, r12, [r1], #8\n"                                                                                         \
    "ldrd r2, lr, [r0], #8\n"
#define EDGECNN_FIRST_PAIR                                                                                             \
    EDGECNN_LOAD_PAIR                                                                                                  \
    "smuad r4, r2, r3\n"                                                                                               \
    "smuad r8, lr, r3\n"                                                                                               \
    "smuad r6, r2, r12\n"                                                                                              \
    "smuad r10, lr, r12\n"                                                                                             \
    "sxtb16 r3, r3\n"                                                                                                  \
    "sxtb16 r12, r12\n"                                                                                                \
    "smuad r5, r2, r3\n"                                                                                               \
    "smuad r9, lr, r3\n"                                                                                               \
    "smuad r7, r2, r12\n"                                                                                              \
    "smuad r11, lr, r12\n"
#define EDGECNN_PAIR                                                                                                   \
    EDGECNN_LOAD_PAIR                                                                                                  \
    "smlad r4, r2, r3, r4\n"                                                                                           \
    "smlad r8, lr, r3, r8\n"                                                                                           \
    "smlad r6, r2, r12, r6\n"                                                                                          \
    "smlad r10, lr, r12, r10\n"                                                                                        \
    "sxtb16 r3, r3\n"                                                                                                  \
    "sxtb16 r12, r12\n"                                                                                                \
    "smlad r5, r2, r3, r5\n"                                                                                           \
    "smlad r9, lr, r3, r9\n"                                                                                           \
    "smlad r7, r2, r12, r7\n"                                                                                          \
    "smlad r11, lr, r12, r11\n"
/* So many of them: counted by the assembler, since compilers need not take strings of more than 4,095 characters. */
#define EDGECNN_PAIRS(count) ".rept " count "\n" EDGECNN_PAIR ".endr\n"

/* The same as the C below, sixteen pairs of products a turn, in four chunks. Every register is in use, so that the end
 * of the loop waits on the stack. What is no whole turn enters at a later chunk: edgecnn_dot_2x4_N for N chunks
 * modulo 4. */
typedef void edgecnn_dot_entry(const uint32_t *x, const uint32_t *w, const uint32_t *end, int32_t *sums);
edgecnn_dot_entry edgecnn_dot_2x4_0, edgecnn_dot_2x4_1, edgecnn_dot_2x4_2, edgecnn_dot_2x4_3;
#define EDGECNN_DOT_ENTRY(n, chunk)                                                                                    \
    ".weak edgecnn_dot_2x4_" n "\n"                                                                                    \
    ".type edgecnn_dot_2x4_" n ", %function\n"                                                                         \
    "edgecnn_dot_2x4_" n ":\n"                                                                                         \
    "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n" EDGECNN_FIRST_PAIR "b " chunk "f\n"
__asm__(".pushsection .text.edgecnn_dot_2x4, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"               /* */
        EDGECNN_DOT_ENTRY("1", "5") /* */
        EDGECNN_DOT_ENTRY("2", "4") /* */
        EDGECNN_DOT_ENTRY("3", "3") /* */
        EDGECNN_DOT_ENTRY("0", "2") /* */
        "1:\n" EDGECNN_PAIRS("1")   /* */
        "2:\n" EDGECNN_PAIRS("4")   /* */
        "3:\n" EDGECNN_PAIRS("4")   /* */
        "4:\n" EDGECNN_PAIRS("4")   /* */
        "5:\n" EDGECNN_PAIRS("3")   /* */
        "ldr r3, [sp]\n"
        "cmp r0, r3\n"
        "bne 1b\n"
        "ldr r3, [sp, #4]\n"
        "stmia r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "pop {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        ".popsection\n");

EDGECNN_INLINE void edgecnn_dot_2x4(const uint32_t *x, const uint32_t *w, int words, int32_t *sums) {
    switch (words / 8 % 4) {
    case 0:
        edgecnn_dot_2x4_0(x, w, x + words, sums);
        break;
    case 1:
        edgecnn_dot_2x4_1(x, w, x + words, sums);
        break;
    case 2:
        edgecnn_dot_2x4_2(x, w, x + words, sums);
        break;
    default:
        edgecnn_dot_2x4_3(x, w, x + words, sums);
        break;
    }
}

typedef struct {
    int32_t p, q;
} edgecnn_p_and_q;

/* Two neighbors in one load, which compilers do not pair by themselves. */
EDGECNN_INLINE edgecnn_p_and_q edgecnn_load_p_and_q(const int32_t *sums) {
    edgecnn_p_and_q y;
    __asm__("ldrd %0, %1, %2" : "=r"(y.p), "=r"(y.q) : "o"(*(const edgecnn_p_and_q *)(const void *)sums));
    return y;
}
#else
/* sums: P and Q of channels A and B, P and Q of C and D, for the first row; the same for the second. */
EDGECNN_INLINE void edgecnn_dot_2x4(const uint32_t *x, const uint32_t *w, int words, int32_t *sums) {
    const uint32_t *const end = x + words;
    int32_t p0 = 0, q0 = 0, p1 = 0, q1 = 0, p2 = 0, q2 = 0, p3 = 0, q3 = 0;
    for (; x != end; x += 2, w += 2) {
        const uint32_t ab = w[0], cd = w[1];
        const uint32_t a = edgecnn_sxtb16(ab), c = edgecnn_sxtb16(cd);
        p0 = edgecnn_smlad(x[0], ab, p0);
        q0 = edgecnn_smlad(x[0], a, q0);
        p1 = edgecnn_smlad(x[0], cd, p1);
        q1 = edgecnn_smlad(x[0], c, q1);
        p2 = edgecnn_smlad(x[1], ab, p2);
        q2 = edgecnn_smlad(x[1], a, q2);
        p3 = edgecnn_smlad(x[1], cd, p3);
        q3 = edgecnn_smlad(x[1], c, q3);
    }
    sums[0] = p0, sums[1] = q0, sums[2] = p1, sums[3] = q1;
    sums[4] = p2, sums[5] = q2, sums[6] = p3, sums[7] = q3;
}

typedef struct {
    int32_t p, q;
} edgecnn_p_and_q;

EDGECNN_INLINE edgecnn_p_and_q edgecnn_load_p_and_q(const int32_t *sums) {
    edgecnn_p_and_q y = {sums[0], sums[1]};
    return y;
}
#endif

/* 256 times the sum of channel B (or D) from P and Q. */
EDGECNN_INLINE int32_t edgecnn_odd_channel(int32_t p, int32_t q) { return (int32_t)((uint32_t)p - (uint32_t)q); }

/* The last 1 to 3 products of a patch, with zeros after them. */
EDGECNN_INLINE uint32_t edgecnn_load_up_to_3(const int8_t *from, int bytes) {
    uint32_t word = (uint8_t)from[0];
    if (bytes > 1)
        word |= (uint32_t)(uint8_t)from[1] << 8;
    if (bytes > 2)
        word |= (uint32_t)(uint8_t)from[2] << 16;
    return word;
}

EDGECNN_INLINE uint32_t *edgecnn_widen_4(uint32_t a, uint32_t b, uint32_t *x) {
    x[0] = edgecnn_sxtb16(a);
    x[1] = edgecnn_sxtb16(b);
    x[2] = edgecnn_sxtb16_odd(a);
    x[3] = edgecnn_sxtb16_odd(b);
    return x + 4;
}

/* The same of the next four bytes at a and b; all pointers move on. */
#if EDGECNN_HAS_DSP && defined(__GNUC__) && defined(__thumb2__) && !defined(EDGECNN_NO_ASM)
#define EDGECNN_WIDEN_NEXT(a, b, x)                                                                                    \
    do {                                                                                                               \
        uint32_t t0, t1, t2, t3;                                                                                       \
        __asm__ volatile("ldr %3, [%0], #4\n"                                                                          \
                         "ldr %4, [%1], #4\n"                                                                          \
                         "sxtb16 %5, %3\n"                                                                             \
                         "sxtb16 %6, %4\n"                                                                             \
                         "strd %5, %6, [%2], #8\n"                                                                     \
                         "sxtb16 %3, %3, ror #8\n"                                                                     \
                         "sxtb16 %4, %4, ror #8\n"                                                                     \
                         "strd %3, %4, [%2], #8\n"                                                                     \
                         : "+r"(a), "+r"(b), "+r"(x), "=&r"(t0), "=&r"(t1), "=&r"(t2), "=&r"(t3)                       \
                         :                                                                                             \
                         : "memory");                                                                                  \
    } while (0)
#else
#define EDGECNN_WIDEN_NEXT(a, b, x)                                                                                    \
    do {                                                                                                               \
        x = edgecnn_widen_4(edgecnn_load4(a), edgecnn_load4(b), x);                                                    \
        a += 4;                                                                                                        \
        b += 4;                                                                                                        \
    } while (0)
#endif

/* Widen `products` bytes of two patches to `x`, and zeros up to a multiple of 8 products. */
EDGECNN_INLINE void edgecnn_widen_here(const int8_t *a, const int8_t *b, int products, uint32_t *x) {
    const int8_t *const end = a + products / 4 * 4;
    while (a != end)
        EDGECNN_WIDEN_NEXT(a, b, x);
    if (products % 4)
        x = edgecnn_widen_4(edgecnn_load_up_to_3(a, products % 4), edgecnn_load_up_to_3(b, products % 4), x);
    if ((products + 3) / 4 % 2)
        x[0] = x[1] = x[2] = x[3] = 0;
}

EDGECNN_SHARED void edgecnn_widen_shared(const int8_t *a, const int8_t *b, int products, uint32_t *x) {
    edgecnn_widen_here(a, b, products, x);
}

/* Long patches pay for a call. */
EDGECNN_INLINE void edgecnn_widen(const int8_t *a, const int8_t *b, int products, uint32_t *x) {
    if (products > 32)
        edgecnn_widen_shared(a, b, products, x);
    else
        edgecnn_widen_here(a, b, products, x);
}

/* The same of the patches that begin at input rows a and b, where they have padding or gaps and a tap is a multiple of
 * 4 bytes. */
EDGECNN_INLINE void edgecnn_widen_taps(const edgecnn_window *window, const int8_t *input, int a, int b, uint32_t *x) {
    const uint32_t padding = (uint32_t)(uint8_t)window->zero_point * 0x01010101u;
    for (int k = 0; k < window->kernel; ++k) {
        const int at_a = a + k * window->dilation, at_b = b + k * window->dilation;
        const int8_t *from_a = at_a >= 0 && at_a < window->length ? input + at_a * window->in : 0;
        const int8_t *from_b = at_b >= 0 && at_b < window->length ? input + at_b * window->in : 0;
        EDGECNN_UNROLL(2)
        for (int i = 0; i < window->in; i += 4)
            x = edgecnn_widen_4(from_a ? edgecnn_load4(from_a + i) : padding,
                                from_b ? edgecnn_load4(from_b + i) : padding, x);
    }
    if (window->kernel * window->in / 4 % 2)
        x[0] = x[1] = x[2] = x[3] = 0;
}

/* Requantize 2^scale times the sum of channel c into one byte; `larger`: keep what is there where that is larger. */
EDGECNN_STEP void edgecnn_store(const edgecnn_requantization *requantization, int c, int larger, int8_t *to,
                                int32_t sum, int scale) {
    int32_t y = edgecnn_requantize_scaled(requantization, c, sum, scale);
    if (larger)
        y = edgecnn_max(y, *to);
    *to = (int8_t)y;
}

/* The four channels from c on, of which the last may not exist; s1 and s3 are 256 times their sums. */
EDGECNN_INLINE void edgecnn_store_4(const edgecnn_requantization *requantization, int c, int out, int larger,
                                    int8_t *to, int32_t s0, int32_t s1, int32_t s2, int32_t s3) {
    edgecnn_store(requantization, c, larger, to, s0, 0);
    if (out % 4 == 0 || c + 1 < out)
        edgecnn_store(requantization, c + 1, larger, to + 1, s1, 8);
    if (out % 4 == 0 || c + 2 < out)
        edgecnn_store(requantization, c + 2, larger, to + 2, s2, 0);
    if (out % 4 == 0 || c + 3 < out)
        edgecnn_store(requantization, c + 3, larger, to + 3, s3, 8);
}

/* Input (length, in) and output (rows, out) as in edgecnn_conv1d.h; weights as above, in groups of four channels.
 * `scratch`, aligned to 4: the widened pair, 4 bytes for each of `kernel * in` products rounded up to 8, and then,
 * where not `window->direct` and `in` is no multiple of 4, 2 * kernel * in bytes. */
EDGECNN_KERNEL void edgecnn_conv1d_dsp(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const int8_t *input, const uint32_t *weights, int8_t *output, int8_t *scratch) {
    const int products = window->kernel * window->in;
    const int words = (products + 7) / 8 * 8;
    const int group = window->pool == 1 ? 2 : window->pool;
    const int conv_rows = window->rows * window->pool;
    uint32_t *x = (uint32_t *)(void *)scratch;
    int8_t *spare = scratch + words * 4;
    for (int first = 0; first < conv_rows; first += group) {
        int8_t *to = output + first / window->pool * window->out;
        for (int pair = 0; pair < group; pair += 2) {
            const int row = first + pair;
            const int has_second = pair + 1 < group && row + 1 < conv_rows;
            const uint32_t *w = weights;
            const int second_row = has_second ? row + 1 : row;
            const int from = row * window->stride - window->pad_before;
            const int to_row = second_row * window->stride - window->pad_before;
            const int slices = window->dilation == 1 && from >= 0 && to_row + window->kernel <= window->length;
            if (window->direct || slices) {
                edgecnn_widen(input + from * window->in, input + to_row * window->in, products, x);
            } else if (window->in % 4 == 0) {
                edgecnn_widen_taps(window, input, from, to_row, x);
            } else {
                edgecnn_gather(window, input, row, spare);
                edgecnn_gather(window, input, second_row, spare + products);
                edgecnn_widen(spare, spare + products, products, x);
            }
            for (int c = 0; c < window->out; c += 4, w += words) {
                int32_t s[8];
                edgecnn_dot_2x4(x, w, words, s);
                const edgecnn_p_and_q ab0 = edgecnn_load_p_and_q(s), cd0 = edgecnn_load_p_and_q(s + 2);
                const edgecnn_p_and_q ab1 = edgecnn_load_p_and_q(s + 4), cd1 = edgecnn_load_p_and_q(s + 6);
                const int32_t b0 = edgecnn_odd_channel(ab0.p, ab0.q), d0 = edgecnn_odd_channel(cd0.p, cd0.q);
                const int32_t b1 = edgecnn_odd_channel(ab1.p, ab1.q), d1 = edgecnn_odd_channel(cd1.p, cd1.q);
                if (window->pool > 1) {
                    edgecnn_store_4(requantization, c, window->out, pair > 0, to + c, edgecnn_max(ab0.q, ab1.q),
                                    edgecnn_max(b0, b1), edgecnn_max(cd0.q, cd1.q), edgecnn_max(d0, d1));
                } else {
                    edgecnn_store_4(requantization, c, window->out, 0, to + c, ab0.q, b0, cd0.q, d0);
                    if (has_second)
                        edgecnn_store_4(requantization, c, window->out, 0, to + window->out + c, ab1.q, b1, cd1.q, d1);
                }
            }
        }
    }
}

#endif
