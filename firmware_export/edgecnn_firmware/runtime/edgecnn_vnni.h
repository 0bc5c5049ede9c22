/* AVX-512 VNNI blocks as functions, and the same in plain C for every other machine. */
#ifndef EDGECNN_VNNI_H
#define EDGECNN_VNNI_H

#include "edgecnn_requantize.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VNNI__) &&               \
    !defined(EDGECNN_NO_SIMD)
#include <immintrin.h>
#define EDGECNN_HAS_VNNI 1
#else
#define EDGECNN_HAS_VNNI 0
#endif

/* Sixteen int32, one for each of sixteen output channels; four unsigned bytes for each of them to multiply; and the
 * weights of sixteen channels, four bytes each. */
#if EDGECNN_HAS_VNNI
typedef __m512i edgecnn_v16;
typedef __m512i edgecnn_v16_fours;
typedef __m512i edgecnn_v16_weights;
#else
typedef struct {
    int32_t lane[16];
} edgecnn_v16;
typedef struct {
    uint8_t byte[64];
} edgecnn_v16_fours;
typedef const int8_t *edgecnn_v16_weights;
#endif

/* The pointer itself, of which the compiler knows nothing: what it points to is then loaded where it is used. Without,
 * GCC keeps tables in registers over loops that need these for sums. */
EDGECNN_INLINE const int32_t *edgecnn_vnni_fresh(const int32_t *from) {
#if EDGECNN_HAS_VNNI
    __asm__ volatile("" : "+r"(from));
#endif
    return from;
}

EDGECNN_INLINE edgecnn_v16 edgecnn_v16_load(const int32_t *from) {
#if EDGECNN_HAS_VNNI
    return _mm512_loadu_si512((const void *)from);
#else
    edgecnn_v16 v;
    for (int i = 0; i < 16; ++i)
        v.lane[i] = from[i];
    return v;
#endif
}

/* The same four bytes for every channel. */
EDGECNN_INLINE edgecnn_v16_fours edgecnn_v16_repeat(const uint8_t *x) {
#if EDGECNN_HAS_VNNI
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm512_set1_epi32(four);
#else
    edgecnn_v16_fours fours;
    for (int i = 0; i < 64; ++i)
        fours.byte[i] = x[i % 4];
    return fours;
#endif
}

/* 64 bytes: four for each channel. */
EDGECNN_INLINE edgecnn_v16_weights edgecnn_v16_load_weights(const int8_t *w) {
#if EDGECNN_HAS_VNNI
    return _mm512_loadu_si512((const void *)w);
#else
    return w;
#endif
}

/* sums[i] += sum over j of x[4 i + j] * w[4 i + j], four of them. */
EDGECNN_INLINE edgecnn_v16 edgecnn_v16_dot(edgecnn_v16 sums, edgecnn_v16_fours x, edgecnn_v16_weights w) {
#if EDGECNN_HAS_VNNI
#if defined(__clang__)
    return _mm512_dpbusd_epi32(sums, x, w);
#else
    /* GCC's own form of this moves sums between registers and memory. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
#endif
#else
    for (int i = 0; i < 64; ++i)
        sums.lane[i / 4] += x.byte[i] * w[i];
    return sums;
#endif
}

EDGECNN_INLINE edgecnn_v16 edgecnn_v16_max(edgecnn_v16 a, edgecnn_v16 b) {
#if EDGECNN_HAS_VNNI
    return _mm512_max_epi32(a, b);
#else
    for (int i = 0; i < 16; ++i)
        a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
    return a;
#endif
}

#if EDGECNN_HAS_VNNI
/* The lowest `count` of 64 bits, 1 to 64. */
EDGECNN_INLINE __mmask64 edgecnn_vnni_mask(int count) { return ~(__mmask64)0 >> (64 - count); }

/* Sixteen sums, neither clamped nor narrowed; t: the first of their multipliers. */
EDGECNN_INLINE __m512i edgecnn_vnni_requantize(const edgecnn_requantization *r, __m512i sums, const int32_t *t) {
    const __m512i x = r->pre_shift ? _mm512_slli_epi32(sums, (unsigned)r->pre_shift) : sums;
    /* Bits 32 to 63 of the products: those of even channels come from one multiplication, of odd ones from another.
     * From t + 1 on, odd multipliers lie where even ones do from t on. */
    const __m512i even = _mm512_mul_epi32(x, _mm512_loadu_si512((const void *)t));
    const __m512i odd =
        _mm512_mul_epi32(_mm512_shuffle_epi32(x, (_MM_PERM_ENUM)0xf5), _mm512_loadu_si512((const void *)(t + 1)));
    __m512i y = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xf5);
    y = _mm512_add_epi32(y, _mm512_loadu_si512((const void *)(t + 16)));
    if (r->form == EDGECNN_SIGNED_LINE) {
        const __m512i drop = _mm512_and_si512(_mm512_srai_epi32(y, 31), _mm512_loadu_si512((const void *)(t + 32)));
        y = _mm512_add_epi32(_mm512_add_epi32(y, drop), _mm512_set1_epi32(r->offset));
    }
    return _mm512_srai_epi32(y, (unsigned)r->shift);
}

/* Four times sixteen int32 -> 64 bytes in order, saturated. */
EDGECNN_INLINE __m512i edgecnn_vnni_narrow(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    return _mm512_permutexvar_epi32(order, bytes);
}

EDGECNN_INLINE __m512i edgecnn_vnni_clamp(__m512i bytes, int32_t low, int32_t high) {
    if (low != -128)
        bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8((char)low));
    if (high != 127)
        bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8((char)high));
    return bytes;
}

/* Write the first `count` bytes. `larger`: keep what is there where that is larger. */
EDGECNN_INLINE void edgecnn_vnni_write(__m512i bytes, int count, int larger, int8_t *to) {
    if (count == 64) {
        if (larger)
            bytes = _mm512_max_epi8(bytes, _mm512_loadu_si512((const void *)to));
        _mm512_storeu_si512((void *)to, bytes);
    } else {
        const __mmask64 mask = edgecnn_vnni_mask(count);
        if (larger)
            bytes = _mm512_max_epi8(bytes, _mm512_maskz_loadu_epi8(mask, to));
        _mm512_mask_storeu_epi8(to, mask, bytes);
    }
}
#else
/* One sum of channel `lane` of the sixteen whose table is t. */
EDGECNN_INLINE int8_t edgecnn_vnni_requantize(const edgecnn_requantization *r, int32_t sum, const int32_t *t,
                                              int lane) {
    int32_t y = edgecnn_high_mul_add(edgecnn_shift_left(sum, r->pre_shift), t[lane], t[16 + lane]);
    if (r->form == EDGECNN_SIGNED_LINE)
        y += ((y >> 31) & t[32 + lane]) + r->offset;
    return (int8_t)edgecnn_clamp(y >> r->shift, r->clamp_min, r->clamp_max);
}
#endif

/* Requantize `vectors` (1 to 4) times sixteen sums and write the first `count` bytes of all, which lie next to each
 * other. The first vector is group `first` of `groups` groups of sixteen channels from c on, and groups repeat. Tables
 * are by columns here: sixteen multipliers, sixteen addends and, for EDGECNN_SIGNED_LINE, sixteen drops. `larger`: keep
 * what is there where that is larger. */
EDGECNN_INLINE void edgecnn_v16_store(const edgecnn_requantization *r, int c, int first, int groups,
                                      const edgecnn_v16 *sums, int vectors, int count, int larger, int8_t *to) {
    const int words = 16 * edgecnn_table_words(r);
    const int32_t *const t = edgecnn_vnni_fresh(r->table + c / 16 * words);
#if EDGECNN_HAS_VNNI
    const __m512i a = edgecnn_vnni_requantize(r, sums[0], t + first % groups * words);
    const __m512i b = vectors > 1 ? edgecnn_vnni_requantize(r, sums[1], t + (first + 1) % groups * words) : a;
    const __m512i d = vectors > 2 ? edgecnn_vnni_requantize(r, sums[2], t + (first + 2) % groups * words) : a;
    const __m512i e = vectors > 3 ? edgecnn_vnni_requantize(r, sums[3], t + (first + 3) % groups * words) : a;
    const __m512i bytes = edgecnn_vnni_clamp(edgecnn_vnni_narrow(a, b, d, e), r->clamp_min, r->clamp_max);
    edgecnn_vnni_write(bytes, count, larger, to);
#else
    for (int i = 0; i < count && i < 16 * vectors; ++i) {
        const int32_t *const table = t + (first + i / 16) % groups * words;
        const int8_t y = edgecnn_vnni_requantize(r, sums[i / 16].lane[i % 16], table, i % 16);
        to[i] = larger && to[i] > y ? to[i] : y;
    }
#endif
}

/* The same for up to four rows of `out` channels, a multiple of 4 below 16, one vector each. */
EDGECNN_INLINE void edgecnn_v16_store_narrow(const edgecnn_requantization *r, int out, const edgecnn_v16 *sums,
                                             int rows, int8_t *to) {
#if EDGECNN_HAS_VNNI
    const int32_t *const t = edgecnn_vnni_fresh(r->table);
    const __m512i a = edgecnn_vnni_requantize(r, sums[0], t);
    const __m512i b = rows > 1 ? edgecnn_vnni_requantize(r, sums[1], t) : a;
    const __m512i c = rows > 2 ? edgecnn_vnni_requantize(r, sums[2], t) : a;
    const __m512i d = rows > 3 ? edgecnn_vnni_requantize(r, sums[3], t) : a;
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    /* Four bytes of each row follow each other. */
    const __m512i order = out == 4   ? _mm512_setr_epi32(0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                          : out == 8 ? _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0)
                                     : _mm512_setr_epi32(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 0, 0, 0, 0);
    const __m512i packed = _mm512_permutexvar_epi32(order, bytes);
    edgecnn_vnni_write(edgecnn_vnni_clamp(packed, r->clamp_min, r->clamp_max), rows * out, 0, to);
#else
    for (int row = 0; row < rows; ++row)
        for (int i = 0; i < out; ++i)
            to[row * out + i] = edgecnn_vnni_requantize(r, sums[row].lane[i], r->table, i);
#endif
}

/* int8 -> uint8 by adding 128. */
EDGECNN_INLINE void edgecnn_vnni_copy(uint8_t *to, const int8_t *from, int bytes) {
    int i = 0;
#if EDGECNN_HAS_VNNI
    const __m512i flip = _mm512_set1_epi8((char)-128);
    for (; i + 64 <= bytes; i += 64)
        _mm512_storeu_si512((void *)(to + i), _mm512_xor_si512(flip, _mm512_loadu_si512((const void *)(from + i))));
    if (i < bytes) {
        const __mmask64 mask = edgecnn_vnni_mask(bytes - i);
        _mm512_mask_storeu_epi8(to + i, mask, _mm512_xor_si512(flip, _mm512_maskz_loadu_epi8(mask, from + i)));
    }
#else
    for (; i < bytes; ++i)
        to[i] = (uint8_t)(from[i] ^ -128);
#endif
}

EDGECNN_INLINE void edgecnn_vnni_fill(uint8_t *to, uint8_t value, int bytes) {
    int i = 0;
#if EDGECNN_HAS_VNNI
    const __m512i all = _mm512_set1_epi8((char)value);
    for (; i + 64 <= bytes; i += 64)
        _mm512_storeu_si512((void *)(to + i), all);
    if (i < bytes)
        _mm512_mask_storeu_epi8(to + i, edgecnn_vnni_mask(bytes - i), all);
#else
    for (; i < bytes; ++i)
        to[i] = value;
#endif
}

#endif
