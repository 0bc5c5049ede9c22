/* Fixed-point arithmetic that every kernel shares. Exact with TensorFlow Lite's reference kernels.
 *
 * C99 with one assumption beyond it, which every compiler for the supported targets meets and which is checked below:
 * right shifts of negative integers are arithmetic. */
#ifndef EDGECNN_BASE_H
#define EDGECNN_BASE_H

#include <stdint.h>

/* The version of these kernels; generated files check that they were made for it. */
#define EDGECNN_RUNTIME 1

/* EDGECNN_KERNEL marks kernels that the compiler specializes for each layer; with EDGECNN_OPTIMIZE_SIZE one copy of
 * each serves all layers. With EDGECNN_NO_INLINE everything is called, for debuggers and for builds that compile fast.
 */
#if defined(__GNUC__) && !defined(EDGECNN_OPTIMIZE_SIZE) && !defined(EDGECNN_NO_INLINE)
#define EDGECNN_KERNEL static inline __attribute__((always_inline, unused))
#elif defined(__GNUC__)
#define EDGECNN_KERNEL static __attribute__((noinline, unused))
#else
#define EDGECNN_KERNEL static inline
#endif
#if defined(__GNUC__) && !defined(EDGECNN_NO_INLINE)
#define EDGECNN_INLINE static inline __attribute__((always_inline, unused))
#elif defined(__GNUC__)
#define EDGECNN_INLINE static __attribute__((noinline, unused))
#else
#define EDGECNN_INLINE static inline
#endif

/* EDGECNN_STEP marks what kernels repeat often: in their midst for speed, called for size. */
#if defined(__GNUC__) && defined(EDGECNN_OPTIMIZE_SIZE)
#define EDGECNN_STEP static __attribute__((noinline, unused))
#else
#define EDGECNN_STEP EDGECNN_INLINE
#endif

/* EDGECNN_SHARED marks what is too large to repeat for each layer. */
#if defined(__GNUC__)
#define EDGECNN_SHARED static __attribute__((noinline, unused))
#else
#define EDGECNN_SHARED static
#endif

/* EDGECNN_UNROLL(n) before a loop asks for n turns at a time. */
#if defined(__clang__)
#define EDGECNN_PRAGMA(text) _Pragma(#text)
#define EDGECNN_UNROLL(n) EDGECNN_PRAGMA(clang loop unroll_count(n))
#elif defined(__GNUC__) && __GNUC__ >= 8 && !defined(EDGECNN_OPTIMIZE_SIZE)
#define EDGECNN_PRAGMA(text) _Pragma(#text)
#define EDGECNN_UNROLL(n) EDGECNN_PRAGMA(GCC unroll n)
#else
#define EDGECNN_UNROLL(n)
#endif

/* A build that counts per layer defines this as a call that the counter recognizes. */
#ifndef EDGECNN_MARK
#define EDGECNN_MARK(op) ((void)0)
#endif

typedef char edgecnn_shifts_are_arithmetic[((-3) >> 1) == -2 ? 1 : -1];

/* floor((a * b + 2^30) / 2^31); a and b are not both INT32_MIN. */
EDGECNN_INLINE int32_t edgecnn_srdhm(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent to the nearest, ties away from zero; exponent 0 to 31. */
EDGECNN_INLINE int32_t edgecnn_rdpot(int32_t x, int exponent) {
    int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
    int32_t remainder = x & mask;
    int32_t threshold = (int32_t)((uint32_t)mask >> 1) + (x < 0);
    return (x >> exponent) + (remainder > threshold);
}

EDGECNN_INLINE int32_t edgecnn_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}

/* x, kept within int8. */
EDGECNN_INLINE int32_t edgecnn_clamp_int8(int32_t x) {
#if defined(__ARM_FEATURE_SAT)
    return (int32_t)__builtin_arm_ssat(x, 8);
#else
    return edgecnn_clamp(x, -128, 127);
#endif
}

EDGECNN_INLINE int32_t edgecnn_max(int32_t a, int32_t b) { return a > b ? a : b; }

EDGECNN_INLINE int32_t edgecnn_min(int32_t a, int32_t b) { return a < b ? a : b; }

/* x * 2^shift for negative x too. */
EDGECNN_INLINE int32_t edgecnn_shift_left(int32_t x, int shift) { return (int32_t)((uint32_t)x << shift); }

/* Bits 32 to 63 of the product, plus c; the sum fits. */
EDGECNN_INLINE int32_t edgecnn_high_mul_add(int32_t a, int32_t b, int32_t c) {
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
    int32_t y;
    __asm__("smmla %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
#elif defined(__ARM_ARCH_6M__) || (defined(__riscv) && !defined(__riscv_mul))
    /* Without a long multiplication: four short ones. */
    const uint32_t a0 = (uint32_t)a & 0xffffu, b0 = (uint32_t)b & 0xffffu;
    const int32_t a1 = a >> 16, b1 = b >> 16;
    const uint32_t low = (a0 * b0) >> 16;
    const int32_t middle = (int32_t)((uint32_t)a1 * b0 + low);
    const int32_t other = (int32_t)((uint32_t)b1 * a0 + ((uint32_t)middle & 0xffffu));
    return (int32_t)((uint32_t)a1 * (uint32_t)b1) + (middle >> 16) + (other >> 16) + c;
#else
    return (int32_t)(((int64_t)a * b) >> 32) + c;
#endif
}

/* Copy without <string.h>; compilers make it a call of memcpy where that pays. */
EDGECNN_INLINE void edgecnn_copy(int8_t *to, const int8_t *from, int bytes) {
    for (int i = 0; i < bytes; ++i)
        to[i] = from[i];
}

/* So many bytes move at once, where the two sides lie apart or so far from each other. */
typedef struct {
    int8_t byte[16];
} edgecnn_sixteen;
typedef struct {
    int8_t byte[4];
} edgecnn_four;

/* The same where the two sides lie apart. */
EDGECNN_INLINE void edgecnn_copy_apart(int8_t *to, const int8_t *from, int bytes) {
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16)
        *(edgecnn_sixteen *)(void *)to = *(const edgecnn_sixteen *)(const void *)from;
    for (; bytes >= 4; bytes -= 4, to += 4, from += 4)
        *(edgecnn_four *)(void *)to = *(const edgecnn_four *)(const void *)from;
    edgecnn_copy(to, from, bytes);
}

EDGECNN_INLINE void edgecnn_fill(int8_t *to, int32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
        to[i] = (int8_t)value;
}

#endif
