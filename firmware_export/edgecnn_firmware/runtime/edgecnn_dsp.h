/* Armv7E-M DSP instructions as functions, and the same in plain C for every other machine. */
#ifndef EDGECNN_DSP_H
#define EDGECNN_DSP_H

#include "edgecnn_base.h"

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#define EDGECNN_HAS_DSP 1
#else
#define EDGECNN_HAS_DSP 0
#endif

EDGECNN_INLINE uint32_t edgecnn_sxtb16_plain(uint32_t x) {
    return (uint32_t)(uint16_t)(int16_t)(int8_t)(uint8_t)x | (uint32_t)(uint16_t)(int16_t)(int8_t)(uint8_t)(x >> 16)
                                                                 << 16;
}

/* sum + low(x) * low(w) + high(x) * high(w), signed halves, modulo 2^32. */
EDGECNN_INLINE int32_t edgecnn_smlad(uint32_t x, uint32_t w, int32_t sum) {
#if EDGECNN_HAS_DSP
    return __smlad((int16x2_t)x, (int16x2_t)w, sum);
#else
    int32_t low = (int16_t)(uint16_t)x * (int16_t)(uint16_t)w;
    int32_t high = (int16_t)(uint16_t)(x >> 16) * (int16_t)(uint16_t)(w >> 16);
    return (int32_t)((uint32_t)sum + (uint32_t)low + (uint32_t)high);
#endif
}

/* sum + low(x) * low(w). */
EDGECNN_INLINE int32_t edgecnn_smlabb(uint32_t x, uint32_t w, int32_t sum) {
#if EDGECNN_HAS_DSP
    return __smlabb((int32_t)x, (int32_t)w, sum);
#else
    return sum + (int16_t)(uint16_t)x * (int16_t)(uint16_t)w;
#endif
}

/* sum + high(x) * high(w). */
EDGECNN_INLINE int32_t edgecnn_smlatt(uint32_t x, uint32_t w, int32_t sum) {
#if EDGECNN_HAS_DSP
    return __smlatt((int32_t)x, (int32_t)w, sum);
#else
    return sum + (int16_t)(uint16_t)(x >> 16) * (int16_t)(uint16_t)(w >> 16);
#endif
}

/* sum + floor(m * low(x) / 2^16). */
EDGECNN_INLINE int32_t edgecnn_smlawb(int32_t m, uint32_t x, int32_t sum) {
#if EDGECNN_HAS_DSP
    return __smlawb(m, (int32_t)x, sum);
#else
    return sum + (int32_t)(((int64_t)m * (int16_t)(uint16_t)x) >> 16);
#endif
}

/* sum + floor(m * high(x) / 2^16). */
EDGECNN_INLINE int32_t edgecnn_smlawt(int32_t m, uint32_t x, int32_t sum) {
#if EDGECNN_HAS_DSP
    return __smlawt(m, (int32_t)x, sum);
#else
    return sum + (int32_t)(((int64_t)m * (int16_t)(uint16_t)(x >> 16)) >> 16);
#endif
}

/* Halves of a plus bytes 0 and 2 of x, sign-extended. */
EDGECNN_INLINE uint32_t edgecnn_sxtab16(uint32_t a, uint32_t x) {
#if EDGECNN_HAS_DSP
    return (uint32_t)__sxtab16((int16x2_t)a, (int8x4_t)x);
#else
    const uint32_t y = edgecnn_sxtb16_plain(x);
    return ((a + y) & 0xffffu) | ((a & 0xffff0000u) + (y & 0xffff0000u));
#endif
}

/* Halves of a plus bytes 1 and 3 of x, sign-extended. */
EDGECNN_INLINE uint32_t edgecnn_sxtab16_odd(uint32_t a, uint32_t x) {
#if EDGECNN_HAS_DSP && defined(__thumb2__)
    uint32_t y;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(y) : "r"(a), "r"(x));
    return y;
#else
    return edgecnn_sxtab16(a, x >> 8);
#endif
}

/* Bytes 0 and 2, sign-extended to halves. */
EDGECNN_INLINE uint32_t edgecnn_sxtb16(uint32_t x) {
#if EDGECNN_HAS_DSP
    return (uint32_t)__sxtb16((int8x4_t)x);
#else
    return edgecnn_sxtb16_plain(x);
#endif
}

/* Bytes 1 and 3, sign-extended to halves. */
EDGECNN_INLINE uint32_t edgecnn_sxtb16_odd(uint32_t x) {
#if EDGECNN_HAS_DSP && defined(__thumb2__)
    uint32_t y;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
    return y;
#else
    return edgecnn_sxtb16(x >> 8);
#endif
}

/* The larger of each of four signed bytes. */
EDGECNN_INLINE uint32_t edgecnn_max_4(uint32_t a, uint32_t b) {
#if EDGECNN_HAS_DSP && defined(__GNUC__)
    uint32_t y;
    /* SEL reads what SSUB8 leaves in the flags. */
    __asm__("ssub8 %0, %1, %2\n"
            "sel %0, %1, %2"
            : "=&r"(y)
            : "r"(a), "r"(b)
            : "cc");
    return y;
#else
    uint32_t y = 0;
    for (int bit = 0; bit < 32; bit += 8) {
        const uint32_t at = (int8_t)(uint8_t)(a >> bit) >= (int8_t)(uint8_t)(b >> bit) ? a : b;
        y |= at & (0xffu << bit);
    }
    return y;
#endif
}

/* The smaller of each of four signed bytes: each is the other's complement. */
EDGECNN_INLINE uint32_t edgecnn_min_4(uint32_t a, uint32_t b) { return ~edgecnn_max_4(~a, ~b); }

/* Halves of a plus halves of b. */
EDGECNN_INLINE uint32_t edgecnn_sadd16(uint32_t a, uint32_t b) {
#if EDGECNN_HAS_DSP
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
#else
    return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
#endif
}

/* Halves of a minus halves of b. */
EDGECNN_INLINE uint32_t edgecnn_ssub16(uint32_t a, uint32_t b) {
#if EDGECNN_HAS_DSP
    return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b);
#else
    return ((a - b) & 0xffffu) | ((a & 0xffff0000u) - (b & 0xffff0000u));
#endif
}

/* Four bytes from anywhere, the first in the low bits. */
EDGECNN_INLINE uint32_t edgecnn_load4(const int8_t *from) {
#if defined(__ARM_FEATURE_UNALIGNED)
    struct edgecnn_word {
        uint32_t value;
    } __attribute__((packed, may_alias));
    return ((const struct edgecnn_word *)(const void *)from)->value;
#else
    return (uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8 | (uint32_t)(uint8_t)from[2] << 16 |
           (uint32_t)(uint8_t)from[3] << 24;
#endif
}

/* Four bytes to anywhere. */
EDGECNN_INLINE void edgecnn_store4(int8_t *to, uint32_t four) {
#if defined(__ARM_FEATURE_UNALIGNED)
    struct edgecnn_word {
        uint32_t value;
    } __attribute__((packed, may_alias));
    ((struct edgecnn_word *)(void *)to)->value = four;
#else
    for (int i = 0; i < 4; ++i)
        to[i] = (int8_t)(uint8_t)(four >> 8 * i);
#endif
}

#endif
