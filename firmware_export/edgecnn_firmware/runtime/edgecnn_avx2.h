/* AVX2 blocks as functions on eight output channels, and the same in plain C for every other machine. */
#ifndef EDGECNN_AVX2_H
#define EDGECNN_AVX2_H

#include "edgecnn_requantize.h"

#if defined(__AVX2__) && !defined(EDGECNN_NO_SIMD)
#include <immintrin.h>
#define EDGECNN_HAS_AVX2 1
#else
#define EDGECNN_HAS_AVX2 0
#endif

/* Eight int32, one for each of eight output channels. */
#if EDGECNN_HAS_AVX2
typedef __m256i edgecnn_v8;
#else
typedef struct {
    int32_t lane[8];
} edgecnn_v8;
#endif

EDGECNN_INLINE edgecnn_v8 edgecnn_v8_zero(void) {
#if EDGECNN_HAS_AVX2
    return _mm256_setzero_si256();
#else
    edgecnn_v8 v;
    for (int i = 0; i < 8; ++i)
        v.lane[i] = 0;
    return v;
#endif
}

/* sums[i] += x[0] * w[2 i] + x[1] * w[2 i + 1]. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_add_pair(edgecnn_v8 sums, const int16_t *x, const int16_t *w) {
#if EDGECNN_HAS_AVX2
    const __m256i weights = _mm256_loadu_si256((const __m256i *)(const void *)w);
    __m256i products;
    int32_t two;
    __builtin_memcpy(&two, x, 4);
#if defined(__clang__)
    products = _mm256_madd_epi16(_mm256_set1_epi32(two), weights);
    return _mm256_add_epi32(sums, products);
#else
    /* Sums stay where they are: GCC's own form of this moves them between registers. */
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sums), "=&x"(products)
            : "x"(_mm256_set1_epi32(two)), "x"(weights));
    return sums;
#endif
#else
    for (int i = 0; i < 8; ++i)
        sums.lane[i] += x[0] * w[2 * i] + x[1] * w[2 * i + 1];
    return sums;
#endif
}

/* Eight channels of two rows, next to each other as 16 bits. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_load_rows(const int8_t *x0, const int8_t *x1) {
#if EDGECNN_HAS_AVX2
    const __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)x0);
    const __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)x1);
    return _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
#else
    edgecnn_v8 v;
    for (int i = 0; i < 8; ++i)
        v.lane[i] = (int32_t)((uint32_t)(uint16_t)x0[i] | (uint32_t)(uint16_t)x1[i] << 16);
    return v;
#endif
}

/* The same of weights; w: two numbers for each channel. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_load_weights(const int16_t *w) {
#if EDGECNN_HAS_AVX2
    return _mm256_loadu_si256((const __m256i *)(const void *)w);
#else
    edgecnn_v8 v;
    for (int i = 0; i < 8; ++i)
        v.lane[i] = (int32_t)((uint32_t)(uint16_t)w[2 * i] | (uint32_t)(uint16_t)w[2 * i + 1] << 16);
    return v;
#endif
}

/* What comes before b's numbers when a's lie before them: a's second and b's first. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_between(edgecnn_v8 a, edgecnn_v8 b) {
#if EDGECNN_HAS_AVX2
    return _mm256_or_si256(_mm256_srli_epi32(a, 16), _mm256_slli_epi32(b, 16));
#else
    for (int i = 0; i < 8; ++i)
        a.lane[i] = (int32_t)((uint32_t)a.lane[i] >> 16 | (uint32_t)b.lane[i] << 16);
    return a;
#endif
}

/* Products of two numbers each with two numbers each, added. */
EDGECNN_INLINE edgecnn_v8 edgecnn_v8_multiply(edgecnn_v8 x, edgecnn_v8 w) {
#if EDGECNN_HAS_AVX2
    return _mm256_madd_epi16(x, w);
#else
    for (int i = 0; i < 8; ++i)
        x.lane[i] =
            (int16_t)(x.lane[i] & 0xffff) * (int16_t)(w.lane[i] & 0xffff) + (x.lane[i] >> 16) * (w.lane[i] >> 16);
    return x;
#endif
}

EDGECNN_INLINE edgecnn_v8 edgecnn_v8_add(edgecnn_v8 a, edgecnn_v8 b) {
#if EDGECNN_HAS_AVX2
    return _mm256_add_epi32(a, b);
#else
    for (int i = 0; i < 8; ++i)
        a.lane[i] += b.lane[i];
    return a;
#endif
}

/* y0 = (a + b) / 2 + c and y1 = (a - b) / 2 + d, where the halves are whole. */
EDGECNN_INLINE void edgecnn_v8_butterfly(edgecnn_v8 a, edgecnn_v8 b, edgecnn_v8 c, edgecnn_v8 d, edgecnn_v8 *y0,
                                         edgecnn_v8 *y1) {
#if EDGECNN_HAS_AVX2
    *y0 = _mm256_add_epi32(_mm256_srai_epi32(_mm256_add_epi32(a, b), 1), c);
    *y1 = _mm256_add_epi32(_mm256_srai_epi32(_mm256_sub_epi32(a, b), 1), d);
#else
    for (int i = 0; i < 8; ++i) {
        y0->lane[i] = ((a.lane[i] + b.lane[i]) >> 1) + c.lane[i];
        y1->lane[i] = ((a.lane[i] - b.lane[i]) >> 1) + d.lane[i];
    }
#endif
}

EDGECNN_INLINE edgecnn_v8 edgecnn_v8_max(edgecnn_v8 a, edgecnn_v8 b) {
#if EDGECNN_HAS_AVX2
    return _mm256_max_epi32(a, b);
#else
    for (int i = 0; i < 8; ++i)
        a.lane[i] = edgecnn_max(a.lane[i], b.lane[i]);
    return a;
#endif
}

/* Words of the table for one channel. */
EDGECNN_INLINE int edgecnn_v8_words(const edgecnn_requantization *r) {
    return r->form == EDGECNN_SIGNED_FLOAT_LINE ? 4 : r->form == EDGECNN_FLOAT_LINE ? 2 : edgecnn_table_words(r);
}

/* The table of eight channels, in registers: multipliers and, of the odd channels, in even places; addends; for
 * EDGECNN_SIGNED_LINE drops; for EDGECNN_SIGNED_FLOAT_LINE limits and the addends below them. */
#if EDGECNN_HAS_AVX2
typedef struct {
    __m256i even, odd, first, second, third;
} edgecnn_v8_table;
#else
typedef const int32_t *edgecnn_v8_table;
#endif

EDGECNN_INLINE edgecnn_v8_table edgecnn_v8_load_table(const edgecnn_requantization *r, const int32_t *t) {
#if EDGECNN_HAS_AVX2
    edgecnn_v8_table table;
    const int words = edgecnn_v8_words(r);
    table.even = _mm256_loadu_si256((const __m256i *)(const void *)t);
    table.odd = _mm256_loadu_si256((const __m256i *)(const void *)(t + 1));
    table.first = _mm256_loadu_si256((const __m256i *)(const void *)(t + 8));
    table.second = words > 2 ? _mm256_loadu_si256((const __m256i *)(const void *)(t + 16)) : table.first;
    table.third = words > 3 ? _mm256_loadu_si256((const __m256i *)(const void *)(t + 24)) : table.first;
    return table;
#else
    (void)r;
    return t;
#endif
}

#if EDGECNN_HAS_AVX2
/* round(sums * multipliers + addends), whatever rounding to int the caller has set; products may be rounded before they
 * are added or not. */
EDGECNN_INLINE __m256i edgecnn_avx2_float(__m256i sums, __m256i multipliers, __m256i addends) {
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    const __m256 x = _mm256_cvtepi32_ps(sums), m = _mm256_castsi256_ps(multipliers), a = _mm256_castsi256_ps(addends);
#if defined(__FMA__)
    const __m256 y = _mm256_fmadd_ps(x, m, a);
#else
    const __m256 y = _mm256_add_ps(_mm256_mul_ps(x, m), a);
#endif
    return _mm256_cvtps_epi32(_mm256_round_ps(y, NEAREST));
}

/* Eight sums, neither clamped nor narrowed. */
EDGECNN_INLINE __m256i edgecnn_avx2_requantize(const edgecnn_requantization *r, __m256i sums,
                                               const edgecnn_v8_table *t) {
    if (edgecnn_is_float(r)) {
        __m256i addends = t->first;
        if (r->form == EDGECNN_SIGNED_FLOAT_LINE)
            addends = _mm256_blendv_epi8(addends, t->third, _mm256_cmpgt_epi32(t->second, sums));
        return edgecnn_avx2_float(sums, t->even, addends);
    }
    const __m256i x = r->pre_shift ? _mm256_slli_epi32(sums, r->pre_shift) : sums;
    /* Bits 32 to 63 of the products: of even channels from one multiplication, of odd ones from another. */
    const __m256i even = _mm256_mul_epi32(x, t->even);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(x, 32), t->odd);
    __m256i y = _mm256_add_epi32(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa), t->first);
    if (r->form == EDGECNN_SIGNED_LINE) {
        const __m256i drop = _mm256_and_si256(_mm256_srai_epi32(y, 31), t->second);
        y = _mm256_add_epi32(_mm256_add_epi32(y, drop), _mm256_set1_epi32(r->offset));
    }
    return _mm256_srai_epi32(y, r->shift);
}

/* Twice eight int32 -> 16 bytes in order, saturated and clamped. */
EDGECNN_INLINE __m128i edgecnn_avx2_narrow(__m256i a, __m256i b, int32_t low, int32_t high) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (low != -128)
        bytes = _mm_max_epi8(bytes, _mm_set1_epi8((char)low));
    if (high != 127)
        bytes = _mm_min_epi8(bytes, _mm_set1_epi8((char)high));
    return bytes;
}

/* Write the first `count` bytes. `larger`: keep what is there where that is larger. */
EDGECNN_INLINE void edgecnn_avx2_write(__m128i bytes, int count, int larger, int8_t *to) {
    if (count >= 16) {
        if (larger)
            bytes = _mm_max_epi8(bytes, _mm_loadu_si128((const __m128i *)(const void *)to));
        _mm_storeu_si128((__m128i *)(void *)to, bytes);
    } else if (count == 8) {
        if (larger)
            bytes = _mm_max_epi8(bytes, _mm_loadl_epi64((const __m128i *)(const void *)to));
        _mm_storel_epi64((__m128i *)(void *)to, bytes);
    } else {
        int8_t some[16];
        _mm_storeu_si128((__m128i *)(void *)some, bytes);
        for (int i = 0; i < count && i < 16; ++i)
            to[i] = larger && to[i] > some[i] ? to[i] : some[i];
    }
}
#endif

/* One sum of a channel, as int8; t: its place in the table. */
#if !EDGECNN_HAS_AVX2
EDGECNN_INLINE int32_t edgecnn_v8_requantize_one(const edgecnn_requantization *r, int32_t sum, const int32_t *t) {
    int32_t y;
    if (edgecnn_is_float(r)) {
        y = edgecnn_requantize_float(r, sum, t, 8);
    } else {
        y = edgecnn_high_mul_add(edgecnn_shift_left(sum, r->pre_shift), t[0], t[8]);
        if (r->form == EDGECNN_SIGNED_LINE)
            y += ((y >> 31) & t[16]) + r->offset;
        y >>= r->shift;
    }
    return edgecnn_clamp(y, r->clamp_min, r->clamp_max);
}
#endif

/* Requantize `groups` (1 or 2) times eight sums, of the channels from c on, and write the first `count`. `larger`: keep
 * what is there where that is larger. Tables are by columns of eight. */
EDGECNN_INLINE void edgecnn_v8_store(const edgecnn_requantization *r, int c, const edgecnn_v8 *sums, int groups,
                                     int count, int larger, int8_t *to) {
    const int words = edgecnn_v8_words(r);
    const int32_t *const t = r->table + c * words;
#if EDGECNN_HAS_AVX2
    const edgecnn_v8_table first = edgecnn_v8_load_table(r, t);
    const edgecnn_v8_table second = edgecnn_v8_load_table(r, groups > 1 ? t + 8 * words : t);
    const __m256i a = edgecnn_avx2_requantize(r, sums[0], &first);
    const __m256i b = groups > 1 ? edgecnn_avx2_requantize(r, sums[1], &second) : a;
    edgecnn_avx2_write(edgecnn_avx2_narrow(a, b, r->clamp_min, r->clamp_max), count, larger, to);
#else
    for (int i = 0; i < count && i < 8 * groups; ++i) {
        const int32_t y = edgecnn_v8_requantize_one(r, sums[i / 8].lane[i % 8], t + i / 8 * 8 * words + i % 8);
        to[i] = (int8_t)(larger ? edgecnn_max(to[i], y) : y);
    }
#endif
}

/* Requantize the sums of eight channels in `rows` (1 or 2) rows; the second is written `pitch` bytes on. */
EDGECNN_INLINE void edgecnn_v8_store_rows(const edgecnn_requantization *r, const edgecnn_v8_table *t,
                                          const edgecnn_v8 *sums, int rows, int pitch, int8_t *to) {
#if EDGECNN_HAS_AVX2
    const __m256i a = edgecnn_avx2_requantize(r, sums[0], t);
    const __m256i b = rows > 1 ? edgecnn_avx2_requantize(r, sums[1], t) : a;
    const __m128i bytes = edgecnn_avx2_narrow(a, b, r->clamp_min, r->clamp_max);
    _mm_storel_epi64((__m128i *)(void *)to, bytes);
    if (rows > 1)
        _mm_storel_epi64((__m128i *)(void *)(to + pitch), _mm_unpackhi_epi64(bytes, bytes));
#else
    for (int i = 0; i < 8 * rows; ++i)
        to[i / 8 * pitch + i % 8] = (int8_t)edgecnn_v8_requantize_one(r, sums[i / 8].lane[i % 8], *t + i % 8);
#endif
}

/* Rows of sums of a block, at most: with two groups of channels they fill twelve of sixteen registers. */
#define EDGECNN_AVX2_ROWS 6

/* Where the products of a block lie. Each row: `taps` runs of `run` elements, an even number, `pitch` elements from one
 * to the next; the next row `step` elements on. The weights of the second group of channels: `group` on. */
typedef struct {
    int taps, run, pitch, step, group;
} edgecnn_avx2_shape;

/* Sums of `rows` rows by `groups` groups of eight channels, in this order. */
EDGECNN_INLINE void edgecnn_avx2_dots(const edgecnn_avx2_shape *shape, const int16_t *x, const int16_t *w, int rows,
                                      int groups, edgecnn_v8 *to) {
    const int step = shape->step, run = shape->run, group = shape->group;
    edgecnn_v8 sums[2 * EDGECNN_AVX2_ROWS];
    EDGECNN_UNROLL(12)
    for (int n = 0; n < groups * rows; ++n)
        sums[n] = edgecnn_v8_zero();
    for (int k = 0; k < shape->taps; ++k, x += shape->pitch) {
        EDGECNN_UNROLL(1)
        for (int i = 0; i < run; i += 2, w += 16) {
            EDGECNN_UNROLL(12)
            for (int n = 0; n < groups * rows; ++n)
                sums[n] = edgecnn_v8_add_pair(sums[n], x + n / groups * step + i, w + n % groups * group);
        }
    }
    EDGECNN_UNROLL(12)
    for (int n = 0; n < groups * rows; ++n)
        to[n] = sums[n];
}

/* Functions of their own, in which compilers keep all sums in registers. */
#define EDGECNN_AVX2_DOTS(rows)                                                                                        \
    EDGECNN_SHARED void edgecnn_avx2_dots_##rows(const edgecnn_avx2_shape *shape, const int16_t *x, const int16_t *w,  \
                                                 edgecnn_v8 *to) {                                                     \
        edgecnn_avx2_dots(shape, x, w, rows, 2, to);                                                                   \
    }
EDGECNN_AVX2_DOTS(1)
EDGECNN_AVX2_DOTS(2)
EDGECNN_AVX2_DOTS(3)
EDGECNN_AVX2_DOTS(4)
EDGECNN_AVX2_DOTS(5)
EDGECNN_AVX2_DOTS(6)

EDGECNN_INLINE void edgecnn_avx2_sums(const edgecnn_avx2_shape *shape, const int16_t *x, const int16_t *w, int rows,
                                      int groups, edgecnn_v8 *to) {
    if (groups == 1)
        edgecnn_avx2_dots(shape, x, w, rows, 1, to);
    else if (rows == 1)
        edgecnn_avx2_dots_1(shape, x, w, to);
    else if (rows == 2)
        edgecnn_avx2_dots_2(shape, x, w, to);
    else if (rows == 3)
        edgecnn_avx2_dots_3(shape, x, w, to);
    else if (rows == 4)
        edgecnn_avx2_dots_4(shape, x, w, to);
    else if (rows == 5)
        edgecnn_avx2_dots_5(shape, x, w, to);
    else
        edgecnn_avx2_dots_6(shape, x, w, to);
}

/* int8 -> int16. */
EDGECNN_INLINE void edgecnn_avx2_widen(int16_t *to, const int8_t *from, int count) {
    int i = 0;
#if EDGECNN_HAS_AVX2
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
#endif
    for (; i < count; ++i)
        to[i] = from[i];
}

#endif
