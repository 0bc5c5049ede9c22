/* Conv1D of stride 1 for Armv7E-M in fewer products: exact integer Winograd, four rows by four output channels at a
 * time.
 */
#ifndef EDGECNN_WINOGRAD1D_DSP_H
#define EDGECNN_WINOGRAD1D_DSP_H

#include "edgecnn_conv1d_dsp.h"

/* Of the products of two rows, y0 and y1, three taps g take four where they took six, with inputs d0 to d3:
 *
 *     A = (d1 + d2) * (g0 + g1 + g2)     B = (d2 - d1) * (g0 - g1 + g2)     C = (d0 - d2) * g0     D = (d3 - d1) * g2
 *     y0 = (A + B) / 2 + C               y1 = (A - B) / 2 + D
 *
 * The halves are exact: A + B and A - B are even. A kernel is taken three taps at a time. Two taps that are left take
 * three products: A = d1 * 2 (g0 + g1), C = (d0 - d1) * g0, D = (d2 - d1) * g1; one that is left two: C = d0 * g0, D =
 * d1 * g0.
 *
 * The sums over input channels and taps of all A, all B, all C and all D are planes: each is a dot product, of two
 * pairs of rows by four output channels at once. Inputs of 9 bits and weights of 10 fit halves. Sums are exact modulo
 * 2^32; the generator proves that every y is within 2^23, so that those of 256 * y are true, and A + B and A - B are
 * below 2^26.
 *
 * A step is two products of each; a word holds channels 0 and 2 of four, and that of the next step 1 and 3. Behind
 * them, one or two channels that four do not divide follow for all taps, next to each other; three are filled up with a
 * zero. Inputs: a word for the first pair of rows, then one for the second. Weights of A and B: words of halves for
 * four output channels a, b, c, d. Weights of C and D: two words as in edgecnn_conv1d_dsp.h, a + 256 * b and c + 256 *
 * d. */

/* How the loop over one plane runs. */
typedef struct {
    const uint32_t *end; /* of its inputs */
    uint32_t skip;       /* bytes of the unrolled loop that its first turn leaves out */
} edgecnn_winograd_plane;

#if EDGECNN_HAS_DSP && defined(__GNUC__) && defined(__thumb2__) && !defined(EDGECNN_NO_ASM)
#define EDGECNN_HALVES_STEP                                                                                            \
    "ldrd r2, lr, [r0], #8\n"                                                                                          \
    "ldrd r3, r12, [r1], #16\n"                                                                                        \
    "smlad r5, r2, r3, r5\n"                                                                                           \
    "smlad r9, lr, r3, r9\n"                                                                                           \
    "smlad r4, r2, r12, r4\n"                                                                                          \
    "smlad r8, lr, r12, r8\n"                                                                                          \
    "ldrd r3, r12, [r1, #-8]\n"                                                                                        \
    "smlad r7, r2, r3, r7\n"                                                                                           \
    "smlad r11, lr, r3, r11\n"                                                                                         \
    "smlad r6, r2, r12, r6\n"                                                                                          \
    "smlad r10, lr, r12, r10\n"
#define EDGECNN_FIRST_HALVES_STEP                                                                                      \
    "ldrd r2, lr, [r0], #8\n"                                                                                          \
    "ldrd r3, r12, [r1], #16\n"                                                                                        \
    "smuad r5, r2, r3\n"                                                                                               \
    "smuad r9, lr, r3\n"                                                                                               \
    "smuad r4, r2, r12\n"                                                                                              \
    "smuad r8, lr, r12\n"                                                                                              \
    "ldrd r3, r12, [r1, #-8]\n"                                                                                        \
    "smuad r7, r2, r3\n"                                                                                               \
    "smuad r11, lr, r3\n"                                                                                              \
    "smuad r6, r2, r12\n"                                                                                              \
    "smuad r10, lr, r12\n"
/* Eight steps a turn, of which the first turn skips some. */
#define EDGECNN_PLANE_BEGIN(skip)                                                                                      \
    "ldr r3, [sp, #32]\n"                                                                                              \
    "ldr r3, [r3, #" skip "]\n"                                                                                        \
    "add pc, r3\n"                                                                                                     \
    "nop\n"                                                                                                            \
    "1:\n"
#define EDGECNN_PLANE_END(end)                                                                                         \
    "ldr r3, [sp, #32]\n"                                                                                              \
    "ldr r3, [r3, #" end "]\n"                                                                                         \
    "cmp r0, r3\n"                                                                                                     \
    "bne 1b\n"
#define EDGECNN_HALVES_STEPS ".rept 8\n" EDGECNN_HALVES_STEP ".endr\n"
/* Of two channels: A on the stack and B in registers -> (A - B) / 2 on the stack, (A + B) / 2 in registers, both as P
 * and Q. */
#define EDGECNN_COMBINE(at, odd, even)                                                                                 \
    "ldrd r2, r3, [sp, #" at "]\n"                                                                                     \
    "sub r12, r2, " odd "\n"                                                                                           \
    "sub lr, r3, " even "\n"                                                                                           \
    "add " odd ", " odd ", r2\n"                                                                                       \
    "add " even ", " even ", r3\n"                                                                                     \
    "asr lr, lr, #1\n"                                                                                                 \
    "asr " even ", " even ", #1\n"                                                                                     \
    "add r12, lr, r12, lsl #7\n"                                                                                       \
    "add " odd ", " even ", " odd ", lsl #7\n"                                                                         \
    "strd r12, lr, [sp, #" at "]\n"
#define EDGECNN_WINOGRAD_SKIPS(steps, size) ((uint32_t)(8 - ((steps) % 8 ? (steps) % 8 : 8)) * (size))
#define EDGECNN_SKIP_FIRST_HALVES(steps) EDGECNN_WINOGRAD_SKIPS((steps) - 1, 44u)
#define EDGECNN_SKIP_PAIRS(steps) EDGECNN_WINOGRAD_SKIPS(steps, 48u)

/* The same as the C below. */
typedef void edgecnn_winograd_block(const uint32_t *x, const uint32_t *w, const edgecnn_winograd_plane *planes,
                                    int32_t *sums);
edgecnn_winograd_block edgecnn_winograd_4x4;
__asm__(".pushsection .text.edgecnn_winograd_4x4, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"
        ".weak edgecnn_winograd_4x4\n"
        ".type edgecnn_winograd_4x4, %function\n"
        "edgecnn_winograd_4x4:\n"
        "push {r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "sub sp, sp, #32\n"                                                                             /* */
        EDGECNN_FIRST_HALVES_STEP EDGECNN_PLANE_BEGIN("4") EDGECNN_HALVES_STEPS EDGECNN_PLANE_END("0")  /* A */
        "stmia sp, {r4, r5, r6, r7, r8, r9, r10, r11}\n"                                                /* */
        EDGECNN_FIRST_HALVES_STEP EDGECNN_PLANE_BEGIN("12") EDGECNN_HALVES_STEPS EDGECNN_PLANE_END("8") /* B */
        EDGECNN_COMBINE("0", "r4", "r5") EDGECNN_COMBINE("8", "r6", "r7")                               /* */
        EDGECNN_COMBINE("16", "r8", "r9") EDGECNN_COMBINE("24", "r10", "r11")                           /* */
        EDGECNN_PLANE_BEGIN("20") EDGECNN_PAIRS("8") EDGECNN_PLANE_END("16")                            /* C */
        "ldr r3, [sp, #36]\n"
        "stmia r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "ldmia sp, {r4, r5, r6, r7, r8, r9, r10, r11}\n"                     /* */
        EDGECNN_PLANE_BEGIN("28") EDGECNN_PAIRS("8") EDGECNN_PLANE_END("24") /* D */
        "ldr r3, [sp, #36]\n"
        "adds r3, #32\n"
        "stmia r3, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "add sp, sp, #40\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        ".popsection\n");
#else
#define EDGECNN_SKIP_FIRST_HALVES(steps) 0u
#define EDGECNN_SKIP_PAIRS(steps) 0u

/* Sums of channels b, a, d, c for the first pair of rows, then for the second. */
EDGECNN_INLINE const uint32_t *edgecnn_winograd_halves(const uint32_t *x, const uint32_t *end, const uint32_t *w,
                                                       int32_t *sums) {
    int32_t a0 = 0, b0 = 0, c0 = 0, d0 = 0, a1 = 0, b1 = 0, c1 = 0, d1 = 0;
    for (; x != end; x += 2, w += 4) {
        a0 = edgecnn_smlad(x[0], w[0], a0);
        b0 = edgecnn_smlad(x[0], w[1], b0);
        c0 = edgecnn_smlad(x[0], w[2], c0);
        d0 = edgecnn_smlad(x[0], w[3], d0);
        a1 = edgecnn_smlad(x[1], w[0], a1);
        b1 = edgecnn_smlad(x[1], w[1], b1);
        c1 = edgecnn_smlad(x[1], w[2], c1);
        d1 = edgecnn_smlad(x[1], w[3], d1);
    }
    sums[0] = b0, sums[1] = a0, sums[2] = d0, sums[3] = c0;
    sums[4] = b1, sums[5] = a1, sums[6] = d1, sums[7] = c1;
    return w;
}

/* P and Q, as edgecnn_dot_2x4 gives them, on top of those in `sums`. */
EDGECNN_INLINE const uint32_t *edgecnn_winograd_pairs(const uint32_t *x, const uint32_t *end, const uint32_t *w,
                                                      int32_t *sums) {
    int32_t p0 = sums[0], q0 = sums[1], p1 = sums[2], q1 = sums[3];
    int32_t p2 = sums[4], q2 = sums[5], p3 = sums[6], q3 = sums[7];
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
    return w;
}

/* Half of an odd and an even channel's even sums, as P and Q. */
EDGECNN_INLINE void edgecnn_winograd_half(int32_t odd, int32_t even, int32_t *p_and_q) {
    p_and_q[1] = even >> 1;
    p_and_q[0] = (int32_t)((uint32_t)p_and_q[1] + ((uint32_t)odd << 7));
}

/* Clang does not let layers that it inlines share the stack that this takes. */
#if defined(__clang__)
#define EDGECNN_WINOGRAD_BLOCK EDGECNN_SHARED
#else
#define EDGECNN_WINOGRAD_BLOCK EDGECNN_INLINE
#endif

/* Rows y0 and y1 of two pairs of rows by four channels. sums: P and Q of channels A and B, then of C and D, for y0 of
 * the first pair, y0 of the second, y1 of the first, y1 of the second. */
EDGECNN_WINOGRAD_BLOCK void edgecnn_winograd_4x4(const uint32_t *x, const uint32_t *w,
                                                 const edgecnn_winograd_plane *planes, int32_t *sums) {
    int32_t a[8], b[8];
    w = edgecnn_winograd_halves(x, planes[0].end, w, a);
    w = edgecnn_winograd_halves(planes[0].end, planes[1].end, w, b);
    EDGECNN_UNROLL(4)
    for (int i = 0; i < 8; i += 2) {
        edgecnn_winograd_half(a[i] + b[i], a[i + 1] + b[i + 1], sums + i);
        edgecnn_winograd_half(a[i] - b[i], a[i + 1] - b[i + 1], sums + i + 8);
    }
    w = edgecnn_winograd_pairs(planes[1].end, planes[2].end, w, sums);
    (void)edgecnn_winograd_pairs(planes[2].end, planes[3].end, w, sums + 8);
}
#endif

/* Where the next step of each plane's inputs goes. */
typedef struct {
    uint32_t *a, *b, *c, *d;
} edgecnn_winograd_steps;

/* A step's word for each pair of rows; `second`: their low halves become the high halves of the step before. */
EDGECNN_INLINE void edgecnn_winograd_put(uint32_t **x, int second, uint32_t first_pair, uint32_t second_pair) {
    if (second) {
        (*x)[-2] |= first_pair << 16;
        (*x)[-1] |= second_pair << 16;
    } else {
        (*x)[0] = first_pair;
        (*x)[1] = second_pair;
        *x += 2;
    }
}

/* Two channels, as halves, of the input rows d[0] to d[5] that `taps` taps of four rows see. */
EDGECNN_INLINE void edgecnn_winograd_put_taps(edgecnn_winograd_steps *to, int taps, int second, const uint32_t *d) {
    if (taps == 3) {
        edgecnn_winograd_put(&to->a, second, edgecnn_sadd16(d[1], d[2]), edgecnn_sadd16(d[3], d[4]));
        edgecnn_winograd_put(&to->b, second, edgecnn_ssub16(d[2], d[1]), edgecnn_ssub16(d[4], d[3]));
        edgecnn_winograd_put(&to->c, second, edgecnn_ssub16(d[0], d[2]), edgecnn_ssub16(d[2], d[4]));
        edgecnn_winograd_put(&to->d, second, edgecnn_ssub16(d[3], d[1]), edgecnn_ssub16(d[5], d[3]));
    } else if (taps == 2) {
        edgecnn_winograd_put(&to->a, second, d[1], d[3]);
        edgecnn_winograd_put(&to->c, second, edgecnn_ssub16(d[0], d[1]), edgecnn_ssub16(d[2], d[3]));
        edgecnn_winograd_put(&to->d, second, edgecnn_ssub16(d[2], d[1]), edgecnn_ssub16(d[4], d[3]));
    } else {
        edgecnn_winograd_put(&to->c, second, d[0], d[2]);
        edgecnn_winograd_put(&to->d, second, d[1], d[3]);
    }
}

/* The inputs of `taps` taps from all channels, where the first of them sees the input row at `from` for the first row.
 */
EDGECNN_INLINE void edgecnn_winograd_put_rows(edgecnn_winograd_steps *to, edgecnn_winograd_steps *rest_to, int taps,
                                              int second, int in, const int8_t *from, int stride) {
    const int rest = in % 4 == 3 ? 0 : in % 4;
    for (int i = 0; i < in - rest; i += 4) {
        uint32_t y[6], even[6], odd[6];
        EDGECNN_UNROLL(6)
        for (int row = 0; row < taps + 3; ++row) {
            const int8_t *x = from + row * stride + i;
            y[row] = in % 4 != 3 || i + 4 <= in ? edgecnn_load4(x) : edgecnn_load_up_to_3(x, 3);
            even[row] = edgecnn_sxtb16(y[row]);
        }
        edgecnn_winograd_put_taps(to, taps, 0, even);
        EDGECNN_UNROLL(6)
        for (int row = 0; row < taps + 3; ++row)
            odd[row] = edgecnn_sxtb16_odd(y[row]);
        edgecnn_winograd_put_taps(to, taps, 0, odd);
    }
    if (rest) {
        uint32_t y[6];
        EDGECNN_UNROLL(6)
        for (int row = 0; row < taps + 3; ++row) {
            const int8_t *x = from + row * stride + in - rest;
            y[row] = (uint32_t)(uint16_t)x[0] | (rest == 2 ? (uint32_t)(uint16_t)x[1] << 16 : 0);
        }
        edgecnn_winograd_put_taps(rest_to, taps, rest == 1 && second, y);
    }
}

/* The inputs of all planes for two pairs of rows, where tap `k` of the first row sees the input row at `from + k *
 * stride`, the next rows one, two and three rows more. */
EDGECNN_INLINE void edgecnn_winograd_inputs(const edgecnn_window *window, const int8_t *from, int stride,
                                            const edgecnn_winograd_plane *planes, uint32_t *x) {
    const int in = window->in, threes = window->kernel / 3, left = window->kernel % 3;
    /* Words of four channels at a time; what is left of all taps follows. */
    const int words = (in + 1) / 4 * 4, begin_b = (int)(planes[0].end - x);
    const int begin_c = (int)(planes[1].end - x), begin_d = (int)(planes[2].end - x);
    edgecnn_winograd_steps to = {x, x + begin_b, x + begin_c, x + begin_d};
    edgecnn_winograd_steps rest_to = {to.a + (threes + (left == 2)) * words, to.b + threes * words,
                                      to.c + (threes + (left > 0)) * words, to.d + (threes + (left > 0)) * words};
    for (int i = 0; i < threes; ++i, from += 3 * stride)
        edgecnn_winograd_put_rows(&to, &rest_to, 3, i % 2, in, from, stride);
    if (left)
        edgecnn_winograd_put_rows(&to, &rest_to, left, threes % 2, in, from, stride);
}

/* Steps of a plane with so many taps: half of the products, rounded up, where three channels that are left count as
 * four. */
EDGECNN_INLINE int edgecnn_winograd_count(int taps, int in) { return (taps * (in % 4 == 3 ? in + 1 : in) + 1) / 2; }

/* `count` input rows from `at` on, `window->dilation` apart, one behind the other; rows outside the input are padding.
 */
EDGECNN_INLINE void edgecnn_winograd_gather(const edgecnn_window *window, const int8_t *input, int at, int count,
                                            int8_t *to) {
    for (; count > 0; --count, at += window->dilation, to += window->in) {
        if (at >= 0 && at < window->length)
            edgecnn_copy(to, input + at * window->in, window->in);
        else
            edgecnn_fill(to, window->zero_point, window->in);
    }
}

/* Where up to four convolution rows go. */
typedef struct {
    int rows;
    int8_t *to;    /* the output row of the first */
    int at[4];     /* where the output row of each begins behind it */
    int larger[4]; /* whether the pool that it belongs to has rows before it */
} edgecnn_winograd_rows;

/* Requantize 2^scale times the sums of channel c in these rows, and store them or, where rows are pooled, the largest
 * of them. */
EDGECNN_INLINE void edgecnn_winograd_store(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const edgecnn_winograd_rows *at, int c, int scale, int32_t s0, int32_t s1,
                                           int32_t s2, int32_t s3) {
    int8_t *const to = at->to + c;
    const int rows = at->rows;
    const int out = window->out, pool = window->pool;
    if (pool == 1) {
        /* All before the first store: after it, the table would be read again. */
        const int32_t y0 = edgecnn_requantize_scaled(requantization, c, s0, scale);
        const int32_t y1 = edgecnn_requantize_scaled(requantization, c, s1, scale);
        const int32_t y2 = edgecnn_requantize_scaled(requantization, c, s2, scale);
        const int32_t y3 = edgecnn_requantize_scaled(requantization, c, s3, scale);
        const int next = window->dilation * out;
        to[0] = (int8_t)y0;
        if (rows > 1)
            to[next] = (int8_t)y1;
        if (rows > 2)
            to[2 * next] = (int8_t)y2;
        if (rows > 3)
            to[3 * next] = (int8_t)y3;
    } else if (pool == 2) {
        const int32_t y0 = edgecnn_requantize_scaled(requantization, c, edgecnn_max(s0, s1), scale);
        const int32_t y1 = edgecnn_requantize_scaled(requantization, c, edgecnn_max(s2, s3), scale);
        to[0] = (int8_t)y0;
        if (rows > 2)
            to[out] = (int8_t)y1;
    } else if (pool % 4 == 0) {
        const int32_t largest = edgecnn_max(edgecnn_max(s0, s1), edgecnn_max(s2, s3));
        edgecnn_store(requantization, c, at->larger[0], to, largest, scale);
    } else {
        edgecnn_store(requantization, c, at->larger[0], to, s0, scale);
        if (rows > 1)
            edgecnn_store(requantization, c, at->larger[1], to + at->at[1], s1, scale);
        if (rows > 2)
            edgecnn_store(requantization, c, at->larger[2], to + at->at[2], s2, scale);
        if (rows > 3)
            edgecnn_store(requantization, c, at->larger[3], to + at->at[3], s3, scale);
    }
}

/* Input (length, in) and output (rows, out) as in edgecnn_conv1d.h, with a kernel of 3 or more, a stride of 1, and no
 * pooling where dilated; weights as above, planes A, B, C, D of each four output channels. Rows are made four at a
 * time, `dilation` apart. `scratch`, aligned to 4: the inputs of the planes, and then,
 * where four rows see padding or rows behind the input's last, `kernel + 3` rows of the input.
 */
EDGECNN_KERNEL void edgecnn_winograd1d_dsp(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                           const int8_t *input, const uint32_t *weights, int8_t *output,
                                           int8_t *scratch) {
    const int in = window->in, out = window->out, dilation = window->dilation, pool = window->pool;
    const int threes = window->kernel / 3, left = window->kernel % 3;
    /* Steps of the planes; of D as of C. */
    const int a = edgecnn_winograd_count(threes + (left == 2), in), b = edgecnn_winograd_count(threes, in);
    const int c = edgecnn_winograd_count(threes + (left > 0), in);
    const int words = 4 * (a + b + c), conv_rows = window->rows * pool, needed = window->kernel + 3;
    uint32_t *const x = (uint32_t *)(void *)scratch;
    int8_t *const gathered = scratch + 8 * (a + b + 2 * c);
    const edgecnn_winograd_plane planes[4] = {
        {x + 2 * a, EDGECNN_SKIP_FIRST_HALVES(a)},
        {x + 2 * (a + b), EDGECNN_SKIP_FIRST_HALVES(b)},
        {x + 2 * (a + b + c), EDGECNN_SKIP_PAIRS(c)},
        {x + 2 * (a + b + 2 * c), EDGECNN_SKIP_PAIRS(c)},
    };
    for (int row = 0; row < conv_rows; row += row % dilation == dilation - 1 ? 3 * dilation + 1 : 1) {
        const int from = row - window->pad_before;
        const int r1 = row + dilation, r2 = row + 2 * dilation, r3 = row + 3 * dilation;
        const int first = row / pool;
        const edgecnn_winograd_rows to = {
            conv_rows % (4 * dilation) ? edgecnn_min((conv_rows - row + dilation - 1) / dilation, 4) : 4,
            output + first * out,
            {0, (r1 / pool - first) * out, (r2 / pool - first) * out, (r3 / pool - first) * out},
            {row % pool != 0, r1 % pool != 0, r2 % pool != 0, r3 % pool != 0},
        };
        const uint32_t *w = weights;
        if (from < 0 || from + (needed - 1) * dilation >= window->length) {
            edgecnn_winograd_gather(window, input, from, needed, gathered);
            edgecnn_winograd_inputs(window, gathered, in, planes, x);
        } else {
            edgecnn_winograd_inputs(window, input + from * in, dilation * in, planes, x);
        }
        for (int channel = 0; channel < out; channel += 4, w += words) {
            int32_t sums[16];
            edgecnn_winograd_4x4(x, w, planes, sums);
            EDGECNN_UNROLL(2)
            for (int pair = 0; pair < 4; pair += 2) {
                const int at = channel + pair;
                const edgecnn_p_and_q y0 = edgecnn_load_p_and_q(sums + pair);
                const edgecnn_p_and_q y1 = edgecnn_load_p_and_q(sums + pair + 8);
                const edgecnn_p_and_q y2 = edgecnn_load_p_and_q(sums + pair + 4);
                const edgecnn_p_and_q y3 = edgecnn_load_p_and_q(sums + pair + 12);
                if (out % 4 == 0 || at < out)
                    edgecnn_winograd_store(window, requantization, &to, at, 0, y0.q, y1.q, y2.q, y3.q);
                if (out % 4 == 0 || at + 1 < out)
                    edgecnn_winograd_store(window, requantization, &to, at + 1, 8, edgecnn_odd_channel(y0.p, y0.q),
                                           edgecnn_odd_channel(y1.p, y1.q), edgecnn_odd_channel(y2.p, y2.q),
                                           edgecnn_odd_channel(y3.p, y3.q));
            }
        }
    }
}

#endif
