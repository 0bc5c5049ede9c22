/* Conv1D of stride 1 for AVX2 in fewer products: exact integer Winograd, up to twelve rows by sixteen output channels
 * at a time. */
#ifndef EDGECNN_WINOGRAD1D_AVX2_H
#define EDGECNN_WINOGRAD1D_AVX2_H

#include "edgecnn_avx2.h"
#include "edgecnn_patch.h"

/* The planes A, B, C and D are those of edgecnn_winograd1d_dsp.h: of two rows, y0 = (A + B) / 2 + C and y1 = (A - B) /
 * 2
 * + D. Inputs of 9 bits and weights of 10 fit 16 bits, which AVX2's products take anyway. */
#define EDGECNN_AVX2_PLANES 4

/* Inputs that a plane takes of a pair of rows, an even number: `left` taps of a kernel are not in a group of three. */
EDGECNN_INLINE int edgecnn_avx2_depth(const edgecnn_window *window, int plane) {
    const int threes = window->kernel / 3, left = window->kernel % 3;
    const int taps = plane == 1 ? threes : plane == 0 ? threes + (left == 2) : threes + (left > 0);
    return (taps * window->in + 1) / 2 * 2;
}

/* Elements before the inputs of a plane; of plane 4: all of them. */
EDGECNN_INLINE int edgecnn_avx2_place(const edgecnn_window *window, int pairs, int plane) {
    int place = 0;
    if (plane > 0)
        place += pairs * edgecnn_avx2_depth(window, 0) + 1;
    if (plane > 1)
        place += pairs * edgecnn_avx2_depth(window, 1) + 1;
    if (plane > 2)
        place += pairs * edgecnn_avx2_depth(window, 2) + 1;
    return place;
}

/* Weights of eight output channels before a plane; of plane 4: all of them. */
EDGECNN_INLINE int edgecnn_avx2_weights(const edgecnn_window *window, int plane) {
    int count = 0;
    if (plane > 0)
        count += edgecnn_avx2_depth(window, 0);
    if (plane > 1)
        count += edgecnn_avx2_depth(window, 1);
    if (plane > 2)
        count += edgecnn_avx2_depth(window, 2);
    if (plane > 3)
        count += edgecnn_avx2_depth(window, 3);
    return 8 * count;
}

/* to[i] = a[i] + b[i]. */
EDGECNN_INLINE void edgecnn_avx2_sum(int16_t *to, const int16_t *a, const int16_t *b, int n) {
    int i = 0;
#if EDGECNN_HAS_AVX2
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            _mm256_add_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(a + i)),
                                             _mm256_loadu_si256((const __m256i *)(const void *)(b + i))));
#endif
    for (; i < n; ++i)
        to[i] = (int16_t)(a[i] + b[i]);
}

/* to[i] = a[i] - b[i]. */
EDGECNN_INLINE void edgecnn_avx2_difference(int16_t *to, const int16_t *a, const int16_t *b, int n) {
    int i = 0;
#if EDGECNN_HAS_AVX2
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            _mm256_sub_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(a + i)),
                                             _mm256_loadu_si256((const __m256i *)(const void *)(b + i))));
#endif
    for (; i < n; ++i)
        to[i] = (int16_t)(a[i] - b[i]);
}

EDGECNN_INLINE void edgecnn_avx2_copy(int16_t *to, const int16_t *from, int n) {
    for (int i = 0; i < n; ++i)
        to[i] = from[i];
}

/* The planes' inputs of all pairs of rows, from rows of `in` elements; a zero follows where their number is odd. */
EDGECNN_INLINE void edgecnn_avx2_transform(const edgecnn_window *window, const int16_t *d, int pairs, int16_t *v) {
    const int in = window->in, left = window->kernel % 3;
    for (int pair = 0; pair < pairs; ++pair, d += 2 * in) {
        int16_t *a = v + edgecnn_avx2_place(window, pairs, 0) + pair * edgecnn_avx2_depth(window, 0);
        int16_t *b = v + edgecnn_avx2_place(window, pairs, 1) + pair * edgecnn_avx2_depth(window, 1);
        int16_t *c = v + edgecnn_avx2_place(window, pairs, 2) + pair * edgecnn_avx2_depth(window, 2);
        int16_t *e = v + edgecnn_avx2_place(window, pairs, 3) + pair * edgecnn_avx2_depth(window, 3);
        const int16_t *from = d;
        for (int k = 0; k + 3 <= window->kernel; k += 3, from += 3 * in, a += in, b += in, c += in, e += in) {
            edgecnn_avx2_sum(a, from + in, from + 2 * in, in);
            edgecnn_avx2_difference(b, from + 2 * in, from + in, in);
            edgecnn_avx2_difference(c, from, from + 2 * in, in);
            edgecnn_avx2_difference(e, from + 3 * in, from + in, in);
        }
        if (left == 2) {
            edgecnn_avx2_copy(a, from + in, in);
            edgecnn_avx2_difference(c, from, from + in, in);
            edgecnn_avx2_difference(e, from + 2 * in, from + in, in);
            a += in, c += in, e += in;
        } else if (left == 1) {
            edgecnn_avx2_copy(c, from, in);
            edgecnn_avx2_copy(e, from + in, in);
            c += in, e += in;
        }
        *a = 0, *b = 0, *c = 0, *e = 0;
    }
}

/* Sums of one plane. */
EDGECNN_INLINE void edgecnn_avx2_plane(const edgecnn_window *window, int plane, const int16_t *v, const int16_t *w,
                                       int all, int first, int pairs, int groups, edgecnn_v8 *to) {
    const int depth = edgecnn_avx2_depth(window, plane);
    const edgecnn_avx2_shape shape = {1, depth, 0, depth, edgecnn_avx2_weights(window, 4)};
    edgecnn_avx2_sums(&shape, v + edgecnn_avx2_place(window, all, plane) + first * depth,
                      w + edgecnn_avx2_weights(window, plane), pairs, groups, to);
}

/* `pairs` pairs of rows (1 to 6) of `all`, from the pair `first` on, by up to sixteen channels from c on. */
EDGECNN_INLINE void edgecnn_avx2_pairs(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const int16_t *v, const int16_t *weights, int all, int first, int pairs, int c,
                                       int channels, int8_t *output) {
    const int conv_rows = window->rows * window->pool, groups = channels > 8 ? 2 : 1;
    const int16_t *const w = weights + c / 8 * edgecnn_avx2_weights(window, 4);
    edgecnn_v8 sums[EDGECNN_AVX2_PLANES][2 * EDGECNN_AVX2_ROWS];
    edgecnn_avx2_plane(window, 0, v, w, all, first, pairs, groups, sums[0]);
    edgecnn_avx2_plane(window, 1, v, w, all, first, pairs, groups, sums[1]);
    edgecnn_avx2_plane(window, 2, v, w, all, first, pairs, groups, sums[2]);
    edgecnn_avx2_plane(window, 3, v, w, all, first, pairs, groups, sums[3]);
    for (int n = 0; n < pairs; ++n) {
        const int row = 2 * (first + n);
        int8_t *const to = output + row / window->pool * window->out + c;
        edgecnn_v8 y0[2], y1[2];
        for (int g = 0; g < groups; ++g) {
            const int at = groups * n + g;
            edgecnn_v8_butterfly(sums[0][at], sums[1][at], sums[2][at], sums[3][at], y0 + g, y1 + g);
            if (window->pool > 1)
                y0[g] = edgecnn_v8_max(y0[g], y1[g]);
        }
        edgecnn_v8_store(requantization, c, y0, groups, channels, row % window->pool != 0, to);
        if (window->pool == 1 && row + 1 < conv_rows)
            edgecnn_v8_store(requantization, c, y1, groups, channels, 0, to + window->out);
    }
}

/* All rows of `channels` channels (1 to 16) from c on. */
EDGECNN_INLINE void edgecnn_avx2_winograd(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const int16_t *v, const int16_t *weights, int pairs, int c, int channels,
                                          int8_t *output) {
    /* Blocks of one size, and then of one pair less. */
    const int blocks = (pairs + EDGECNN_AVX2_ROWS - 1) / EDGECNN_AVX2_ROWS, block = (pairs + blocks - 1) / blocks;
    const int large = pairs - blocks * (block - 1);
    int first = 0;
    for (; first < large * block; first += block)
        edgecnn_avx2_pairs(window, requantization, v, weights, pairs, first, block, c, channels, output);
    for (; first < pairs; first += block - 1)
        edgecnn_avx2_pairs(window, requantization, v, weights, pairs, first, block - 1, c, channels, output);
}

/* Input (length, in), output (rows, out), int8 and row-major; stride and dilation 1, kernel 3 or more, pool 1 or even.
 * weights: for each eight channels (with zeros up to sixteen), for each plane, for each two of its weights (with a zero
 * up to two), 8 x 2 numbers. `scratch`: see the generator. The output may overlap the input: everything is copied
 * first. */
EDGECNN_KERNEL void edgecnn_winograd1d_avx2(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                            const int8_t *input, const int16_t *weights, int8_t *output,
                                            int8_t *scratch) {
    const int in = window->in, pairs = (window->rows * window->pool + 1) / 2;
    const int before = window->pad_before * in, total = (2 * pairs + window->kernel - 1) * in;
    const int middle = edgecnn_min(window->length * in, total - before);
    int c = 0;
    int16_t *const x = (int16_t *)(void *)scratch, *const v = x + total;
    for (int i = 0; i < before; ++i)
        x[i] = (int16_t)window->zero_point;
    edgecnn_avx2_widen(x + before, input, middle);
    for (int i = before + middle; i < total; ++i)
        x[i] = (int16_t)window->zero_point;
    edgecnn_avx2_transform(window, x, pairs, v);
    for (; c + 16 <= window->out; c += 16)
        edgecnn_avx2_winograd(window, requantization, v, weights, pairs, c, 16, output);
    if (c < window->out)
        edgecnn_avx2_winograd(window, requantization, v, weights, pairs, c, window->out - c, output);
}

#endif
