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

/* The pointer itself, of which GCC knows nothing: what it points to is then loaded where it is used, and does not take
 * registers that the rows of a loop need. */
EDGECNN_INLINE const int32_t *edgecnn_avx2_fresh(const int32_t *from) {
#if EDGECNN_HAS_AVX2 && !defined(__clang__)
    __asm__ volatile("" : "+r"(from));
#endif
    return from;
}

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

#if EDGECNN_HAS_AVX2
/* round(sums * multipliers + addends) with one rounding before it, whatever rounding the caller has set. */
EDGECNN_INLINE __m256i edgecnn_avx2_float(__m256i sums, __m256i multipliers, __m256i addends) {
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
#if defined(__FMA__)
    const __m256 y =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), _mm256_castsi256_ps(multipliers), _mm256_castsi256_ps(addends));
    return _mm256_cvtps_epi32(_mm256_round_ps(y, NEAREST));
#else
    __m128i half[2];
    for (int n = 0; n < 2; ++n) {
        const __m128i sum = n ? _mm256_extracti128_si256(sums, 1) : _mm256_castsi256_si128(sums);
        const __m128i factor = n ? _mm256_extracti128_si256(multipliers, 1) : _mm256_castsi256_si128(multipliers);
        const __m128i addend = n ? _mm256_extracti128_si256(addends, 1) : _mm256_castsi256_si128(addends);
        const __m256d y =
            _mm256_add_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(sum), _mm256_cvtps_pd(_mm_castsi128_ps(factor))),
                          _mm256_cvtps_pd(_mm_castsi128_ps(addend)));
        half[n] = _mm256_cvtpd_epi32(_mm256_round_pd(y, NEAREST));
    }
    return _mm256_set_m128i(half[1], half[0]);
#endif
}

/* Eight sums, neither clamped nor narrowed; t: eight multipliers, eight addends and, for EDGECNN_SIGNED_LINE, eight
 * drops; for EDGECNN_SIGNED_FLOAT_LINE eight limits and the addends below them. */
EDGECNN_INLINE __m256i edgecnn_avx2_requantize(const edgecnn_requantization *r, __m256i sums, const int32_t *t) {
    if (edgecnn_is_float(r)) {
        __m256i addends = _mm256_loadu_si256((const __m256i *)(const void *)(t + 8));
        if (r->form == EDGECNN_SIGNED_FLOAT_LINE) {
            const __m256i limits = _mm256_loadu_si256((const __m256i *)(const void *)(t + 16));
            const __m256i lower = _mm256_loadu_si256((const __m256i *)(const void *)(t + 24));
            addends = _mm256_blendv_epi8(addends, lower, _mm256_cmpgt_epi32(limits, sums));
        }
        return edgecnn_avx2_float(sums, _mm256_loadu_si256((const __m256i *)(const void *)t), addends);
    }
    const __m256i x = r->pre_shift ? _mm256_slli_epi32(sums, r->pre_shift) : sums;
    /* Bits 32 to 63 of the products: of even channels from one multiplication, of odd ones from another. */
    const __m256i even = _mm256_mul_epi32(x, _mm256_loadu_si256((const __m256i *)(const void *)t));
    const __m256i odd =
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_loadu_si256((const __m256i *)(const void *)(t + 1)));
    __m256i y = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    y = _mm256_add_epi32(y, _mm256_loadu_si256((const __m256i *)(const void *)(t + 8)));
    if (r->form == EDGECNN_SIGNED_LINE) {
        const __m256i drops = _mm256_loadu_si256((const __m256i *)(const void *)(t + 16));
        const __m256i drop = _mm256_and_si256(_mm256_srai_epi32(y, 31), drops);
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

/* Words of the table for one channel. */
EDGECNN_INLINE int edgecnn_v8_words(const edgecnn_requantization *r) {
    return r->form == EDGECNN_SIGNED_FLOAT_LINE ? 4 : r->form == EDGECNN_FLOAT_LINE ? 2 : edgecnn_table_words(r);
}

/* Requantize `groups` (1 or 2) times eight sums, of the channels from c on, and write the first `count`. `larger`: keep
 * what is there where that is larger. Tables are by columns of eight. */
EDGECNN_INLINE void edgecnn_v8_store(const edgecnn_requantization *r, int c, const edgecnn_v8 *sums, int groups,
                                     int count, int larger, int8_t *to) {
    const int words = edgecnn_v8_words(r);
    const int32_t *const t = r->table + c * words;
#if EDGECNN_HAS_AVX2
    const __m256i a = edgecnn_avx2_requantize(r, sums[0], t);
    const __m256i b = groups > 1 ? edgecnn_avx2_requantize(r, sums[1], t + 8 * words) : a;
    edgecnn_avx2_write(edgecnn_avx2_narrow(a, b, r->clamp_min, r->clamp_max), count, larger, to);
#else
    for (int i = 0; i < count && i < 8 * groups; ++i) {
        const int32_t *const table = t + i / 8 * 8 * words + i % 8;
        const int32_t sum = sums[i / 8].lane[i % 8];
        int32_t y;
        if (edgecnn_is_float(r)) {
            y = edgecnn_requantize_float(r, sum, table, 8);
        } else {
            y = edgecnn_high_mul_add(edgecnn_shift_left(sum, r->pre_shift), table[0], table[8]);
            if (r->form == EDGECNN_SIGNED_LINE)
                y += ((y >> 31) & table[16]) + r->offset;
            y >>= r->shift;
        }
        y = edgecnn_clamp(y, r->clamp_min, r->clamp_max);
        to[i] = (int8_t)(larger ? edgecnn_max(to[i], y) : y);
    }
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
