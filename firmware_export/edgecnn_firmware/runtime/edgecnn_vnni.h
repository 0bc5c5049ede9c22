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

/* Loops over registers are unrolled where their counts are constants; where one copy serves all layers they stay loops.
 */
#if defined(EDGECNN_OPTIMIZE_SIZE)
#define EDGECNN_VNNI_UNROLL(n)
#else
#define EDGECNN_VNNI_UNROLL(n) EDGECNN_UNROLL(n)
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

/* The same of sums, which thereby lie in memory. */
EDGECNN_INLINE const edgecnn_v16 *edgecnn_vnni_fresh_sums(const edgecnn_v16 *from) {
#if EDGECNN_HAS_VNNI
    __asm__ volatile("" : "+r"(from) : : "memory");
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

/* Whether products and addends are summed in 64 bits, which saves the shift before. */
EDGECNN_INLINE int edgecnn_vnni_wide(const edgecnn_requantization *r) {
    return r->form == EDGECNN_LINE && r->shift >= r->pre_shift;
}

/* Words of the table for sixteen channels, in sixteens:
 * wide: multipliers; then addends times 2^(32 - pre_shift) as int64, first of even channels, then of odd ones;
 * EDGECNN_LINE otherwise: multipliers, addends;
 * EDGECNN_SIGNED_LINE: multipliers, addends with the offset, addends without it times -1, drops. A high product below
 * the third gets the fourth;
 * EDGECNN_FLOAT_LINE: multipliers, addends; EDGECNN_SIGNED_FLOAT_LINE: then limits, addends below them. */
EDGECNN_INLINE int edgecnn_vnni_words(const edgecnn_requantization *r) {
    return r->form == EDGECNN_SIGNED_LINE || r->form == EDGECNN_SIGNED_FLOAT_LINE ? 64 : edgecnn_vnni_wide(r) ? 48 : 32;
}

#if EDGECNN_HAS_VNNI
/* The lowest `count` of 64 bits, 1 to 64. */
EDGECNN_INLINE __mmask64 edgecnn_vnni_mask(int count) { return ~(__mmask64)0 >> (64 - count); }

/* The table of sixteen channels in registers. */
typedef struct {
    __m512i even, odd, first, second, third;
} edgecnn_vnni_table;

EDGECNN_INLINE edgecnn_vnni_table edgecnn_vnni_load_table(const edgecnn_requantization *r, const int32_t *t) {
    edgecnn_vnni_table table;
    table.even = _mm512_loadu_si512((const void *)t);
    table.odd = _mm512_shuffle_epi32(table.even, (_MM_PERM_ENUM)0xf5);
    table.first = _mm512_loadu_si512((const void *)(t + 16));
    table.second = edgecnn_vnni_words(r) > 32 ? _mm512_loadu_si512((const void *)(t + 32)) : table.first;
    table.third = edgecnn_vnni_words(r) > 48 ? _mm512_loadu_si512((const void *)(t + 48)) : table.first;
    return table;
}

/* round(sums * multipliers + addends), whatever rounding the caller has set. */
EDGECNN_INLINE __m512i edgecnn_vnni_float(__m512i sums, __m512i multipliers, __m512i addends) {
    const __m512 y = _mm512_fmadd_round_ps(_mm512_cvtepi32_ps(sums), _mm512_castsi512_ps(multipliers),
                                           _mm512_castsi512_ps(addends), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_cvt_roundps_epi32(y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* Sixteen sums, neither clamped nor narrowed. */
EDGECNN_INLINE __m512i edgecnn_vnni_requantize(const edgecnn_requantization *r, __m512i sums,
                                               const edgecnn_vnni_table *t) {
    const int wide = edgecnn_vnni_wide(r);
    const __m512i x = wide || !r->pre_shift ? sums : _mm512_slli_epi32(sums, (unsigned)r->pre_shift);
    /* Products of even channels come from one multiplication, of odd ones from another. */
    __m512i even = _mm512_mul_epi32(x, t->even);
    __m512i odd = _mm512_mul_epi32(_mm512_shuffle_epi32(x, (_MM_PERM_ENUM)0xf5), t->odd);
    __m512i high, y;
    if (edgecnn_is_float(r)) {
        __m512i addends = t->first;
        if (r->form == EDGECNN_SIGNED_FLOAT_LINE)
            addends = _mm512_mask_mov_epi32(addends, _mm512_cmplt_epi32_mask(sums, t->second), t->third);
        return edgecnn_vnni_float(sums, t->even, addends);
    }
    if (wide) {
        even = _mm512_add_epi64(even, t->first);
        odd = _mm512_add_epi64(odd, t->second);
    }
    high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xf5);
    if (wide)
        return _mm512_srai_epi32(high, (unsigned)(r->shift - r->pre_shift));
    y = _mm512_add_epi32(high, t->first);
    if (r->form == EDGECNN_SIGNED_LINE)
        y = _mm512_mask_add_epi32(y, _mm512_cmplt_epi32_mask(high, t->second), y, t->third);
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
typedef const int32_t *edgecnn_vnni_table;

EDGECNN_INLINE edgecnn_vnni_table edgecnn_vnni_load_table(const edgecnn_requantization *r, const int32_t *t) {
    (void)r;
    return t;
}

/* One sum of channel `lane` of the sixteen whose table is t. */
EDGECNN_INLINE int32_t edgecnn_vnni_requantize_one(const edgecnn_requantization *r, int32_t sum, const int32_t *t,
                                                   int lane) {
    int32_t y;
    if (edgecnn_is_float(r)) {
        y = edgecnn_requantize_float(r, sum, t + lane, 16);
    } else if (edgecnn_vnni_wide(r)) {
        const int32_t *const two = t + 16 + lane % 2 * 16 + lane / 2 * 2;
        const int64_t addend = (int64_t)(((uint64_t)(uint32_t)two[1] << 32) | (uint32_t)two[0]);
        y = (int32_t)(((int64_t)sum * t[lane] + addend) >> (32 - r->pre_shift + r->shift));
    } else {
        const int32_t high = edgecnn_high_mul_add(edgecnn_shift_left(sum, r->pre_shift), t[lane], 0);
        uint32_t total = (uint32_t)high + (uint32_t)t[16 + lane];
        if (r->form == EDGECNN_SIGNED_LINE && high < t[32 + lane])
            total += (uint32_t)t[48 + lane];
        y = (int32_t)total >> r->shift;
    }
    return edgecnn_clamp(y, r->clamp_min, r->clamp_max);
}

EDGECNN_INLINE edgecnn_v16 edgecnn_vnni_requantize(const edgecnn_requantization *r, edgecnn_v16 sums,
                                                   const edgecnn_vnni_table *t) {
    for (int i = 0; i < 16; ++i)
        sums.lane[i] = edgecnn_vnni_requantize_one(r, sums.lane[i], *t, i);
    return sums;
}
#endif

/* Requantize `vectors` (1 to 4) times sixteen sums; `first`: the first of them among rows of `groups` groups of sixteen
 * channels from c on. What comes is ready for edgecnn_v16_write and no other use. */
EDGECNN_INLINE void edgecnn_v16_requantize(const edgecnn_requantization *r, int c, int groups, int first, int vectors,
                                           const edgecnn_v16 *sums, edgecnn_v16 *y) {
    const int words = edgecnn_vnni_words(r);
    const int32_t *const table = edgecnn_vnni_fresh(r->table + c / 16 * words);
    EDGECNN_VNNI_UNROLL(4)
    for (int n = 0; n < vectors; ++n) {
        const edgecnn_vnni_table t = edgecnn_vnni_load_table(r, table + (first + n) % groups * words);
        y[n] = edgecnn_vnni_requantize(r, sums[n], &t);
    }
}

/* Write the first `count` bytes of `vectors` (1 to 4) times sixteen results, which lie next to each other. `larger`:
 * keep what is there where that is larger. */
EDGECNN_INLINE void edgecnn_v16_write(const edgecnn_requantization *r, const edgecnn_v16 *y, int vectors, int count,
                                      int larger, int8_t *to) {
#if EDGECNN_HAS_VNNI
    const __m512i b = vectors > 1 ? y[1] : y[0], c = vectors > 2 ? y[2] : y[0], d = vectors > 3 ? y[3] : y[0];
    const __m512i bytes = edgecnn_vnni_clamp(edgecnn_vnni_narrow(y[0], b, c, d), r->clamp_min, r->clamp_max);
    edgecnn_vnni_write(bytes, count, larger, to);
#else
    (void)r;
    for (int i = 0; i < count && i < 16 * vectors; ++i) {
        const int8_t one = (int8_t)y[i / 16].lane[i % 16];
        to[i] = larger && to[i] > one ? to[i] : one;
    }
#endif
}

/* The same for up to four rows of `out` channels, a multiple of 4 below 16, one vector each. */
EDGECNN_INLINE void edgecnn_v16_write_narrow(const edgecnn_requantization *r, int out, const edgecnn_v16 *y, int rows,
                                             int8_t *to) {
#if EDGECNN_HAS_VNNI
    const __m512i b = rows > 1 ? y[1] : y[0], c = rows > 2 ? y[2] : y[0], d = rows > 3 ? y[3] : y[0];
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(y[0], b), _mm512_packs_epi32(c, d));
    /* Four bytes of each row follow each other. */
    const __m512i order = out == 4   ? _mm512_setr_epi32(0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                          : out == 8 ? _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0)
                                     : _mm512_setr_epi32(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 0, 0, 0, 0);
    const __m512i packed = _mm512_permutexvar_epi32(order, bytes);
    edgecnn_vnni_write(edgecnn_vnni_clamp(packed, r->clamp_min, r->clamp_max), rows * out, 0, to);
#else
    (void)r;
    for (int row = 0; row < rows; ++row)
        for (int i = 0; i < out; ++i)
            to[row * out + i] = (int8_t)y[row].lane[i];
#endif
}

/* Two rows of 16 or 32 channels, one or two vectors each: write the first `count` bytes of each, `pitch` bytes apart.
 */
EDGECNN_INLINE void edgecnn_v16_write_pair(const edgecnn_requantization *r, const edgecnn_v16 *y, int vectors, int rows,
                                           int count, int pitch, int8_t *to) {
#if EDGECNN_HAS_VNNI
    const __m512i a1 = vectors > 1 ? y[1] : y[0];
    const __m512i b0 = rows > 1 ? y[vectors] : y[0], b1 = rows > 1 && vectors > 1 ? y[3] : b0;
    const __m512i bytes = edgecnn_vnni_clamp(edgecnn_vnni_narrow(y[0], a1, b0, b1), r->clamp_min, r->clamp_max);
    const __mmask32 mask = ~(__mmask32)0 >> (32 - count);
    if (count == 32)
        _mm256_storeu_si256((__m256i *)(void *)to, _mm512_castsi512_si256(bytes));
    else
        _mm256_mask_storeu_epi8(to, mask, _mm512_castsi512_si256(bytes));
    if (rows > 1 && count == 32)
        _mm256_storeu_si256((__m256i *)(void *)(to + pitch), _mm512_extracti64x4_epi64(bytes, 1));
    else if (rows > 1)
        _mm256_mask_storeu_epi8(to + pitch, mask, _mm512_extracti64x4_epi64(bytes, 1));
#else
    for (int row = 0; row < rows; ++row)
        edgecnn_v16_write(r, y + row * vectors, vectors, count, 0, to + row * pitch);
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
