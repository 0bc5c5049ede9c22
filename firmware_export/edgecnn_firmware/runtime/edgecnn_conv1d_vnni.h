/* Conv1D and dense layers for AVX-512 VNNI: the sums of a block of rows by up to 64 output channels stay in registers.
 */
#ifndef EDGECNN_CONV1D_VNNI_H
#define EDGECNN_CONV1D_VNNI_H

#include "edgecnn_patch.h"
#include "edgecnn_vnni.h"

/* Of 32 registers, these hold sums; the others weights and inputs. */
#define EDGECNN_VNNI_SUMS 16

/* What the rows of a layer are made of: `taps` runs of `run` bytes, a multiple of 4, `pitch` bytes from one to the
 * next; the next row lies `step` bytes on. */
typedef struct {
    int taps, run, pitch, step;
} edgecnn_vnni_rows;

/* Sums of `rows` rows by `groups` groups of sixteen channels, row by row; x: the first row's patch. */
EDGECNN_INLINE void edgecnn_vnni_sums(const edgecnn_vnni_rows *shape, const uint8_t *x, const int8_t *w,
                                      const int32_t *start, int rows, int groups, edgecnn_v16 *sums) {
    const int group = shape->taps * shape->run * 16;
    start = edgecnn_vnni_fresh(start);
    EDGECNN_UNROLL(24)
    for (int n = 0; n < rows * groups; ++n)
        sums[n] = edgecnn_v16_load(start + n % groups * 16);
    for (int k = 0; k < shape->taps; ++k, x += shape->pitch)
        EDGECNN_UNROLL(1)
    for (int i = 0; i < shape->run; i += 4, w += 64) {
        EDGECNN_UNROLL(24)
        for (int n = 0; n < rows * groups; ++n)
            sums[n] = edgecnn_v16_dot(sums[n], edgecnn_v16_repeat(x + n / groups * shape->step + i),
                                      edgecnn_v16_load_weights(w + n % groups * group));
    }
}

/* Write what a block summed: `rows` output rows of the channels from c on. */
EDGECNN_INLINE void edgecnn_vnni_rows_store(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                            int c, int groups, const edgecnn_v16 *sums, int rows, int larger,
                                            int8_t *to) {
    const int out = window->out;
    if (out == 16 * groups) {
        EDGECNN_UNROLL(6)
        for (int n = 0; n < rows * groups; n += 4) {
            const int vectors = edgecnn_min(rows * groups - n, 4);
            edgecnn_v16_store(requantization, c, n, groups, sums + n, vectors, 16 * vectors, larger, to + 16 * n);
        }
    } else if (out < 16 && out % 4 == 0 && !larger) {
        EDGECNN_UNROLL(6)
        for (int n = 0; n < rows; n += 4)
            edgecnn_v16_store_narrow(requantization, out, sums + n, edgecnn_min(rows - n, 4), to + n * out);
    } else {
        EDGECNN_UNROLL(24)
        for (int n = 0; n < rows; ++n)
            edgecnn_v16_store(requantization, c, 0, groups, sums + n * groups, groups,
                              edgecnn_min(out - c, 16 * groups), larger, to + n * out + c);
    }
}

/* `rows` rows of the convolution, from `row` on, by `groups` groups of channels from c on. They are whole pooled rows,
 * or part of one. */
EDGECNN_INLINE void edgecnn_vnni_block(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const edgecnn_vnni_rows *shape, const uint8_t *x, const int8_t *weights,
                                       const int32_t *start, int row, int rows, int c, int groups, int8_t *output) {
    const int pool = edgecnn_min(window->pool, rows);
    edgecnn_v16 sums[EDGECNN_VNNI_SUMS];
    edgecnn_vnni_sums(shape, x + row * shape->step, weights + c * shape->taps * shape->run, start + c, rows, groups,
                      sums);
    if (pool > 1) {
        EDGECNN_UNROLL(24)
        for (int n = 0; n < rows * groups; ++n) {
            const int at = n / groups / pool * groups + n % groups;
            sums[at] = n / groups % pool ? edgecnn_v16_max(sums[at], sums[n]) : sums[n];
        }
    }
    edgecnn_vnni_rows_store(window, requantization, c, groups, sums, rows / pool, row % window->pool != 0,
                            output + row / window->pool * window->out);
}

/* All rows of `groups` groups of channels. */
EDGECNN_INLINE void edgecnn_vnni_channels(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const edgecnn_vnni_rows *shape, const uint8_t *x, const int8_t *weights,
                                          const int32_t *start, int c, int groups, int8_t *output) {
    const int most = edgecnn_min(EDGECNN_VNNI_SUMS / groups, 12);
    const int pool = window->pool, conv_rows = window->rows * pool;
    if (pool <= most) {
        const int block = most / pool * pool, rest = conv_rows % block;
        int row = 0;
        for (; row + block <= conv_rows; row += block)
            edgecnn_vnni_block(window, requantization, shape, x, weights, start, row, block, c, groups, output);
        if (rest)
            edgecnn_vnni_block(window, requantization, shape, x, weights, start, row, rest, c, groups, output);
    } else {
        const int rest = pool % most;
        for (int first = 0; first < conv_rows; first += pool) {
            int row = 0;
            for (; row + most <= pool; row += most)
                edgecnn_vnni_block(window, requantization, shape, x, weights, start, first + row, most, c, groups,
                                   output);
            if (rest)
                edgecnn_vnni_block(window, requantization, shape, x, weights, start, first + row, rest, c, groups,
                                   output);
        }
    }
}

/* Input (length, in), output (rows, out), int8 and row-major. weights: for each sixteen channels, for each tap, for
 * each four input channels (with zeros up to four where taps are not adjacent), 16 x 4 bytes. start: -128 times the sum
 * of each channel's weights, since inputs are made unsigned by adding 128. Tables of the requantization are by columns
 * of 16. `scratch`: (pad_before + length + pad_after) * in + 4 bytes, where pad_after makes the last patch whole. The
 * output may overlap the input: everything is copied first. */
EDGECNN_KERNEL void edgecnn_conv1d_vnni(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                        const int8_t *input, const int8_t *weights, const int32_t *start,
                                        int8_t *output, int8_t *scratch) {
    uint8_t *const x = (uint8_t *)scratch;
    const int conv_rows = window->rows * window->pool;
    const int last = (conv_rows - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
    const int total = last > window->length + window->pad_before ? last : window->length + window->pad_before;
    const int before = window->pad_before * window->in, middle = window->length * window->in;
    const uint8_t zero = (uint8_t)(window->zero_point + 128);
    /* One run of bytes where the taps of a patch are adjacent. */
    const int taps = window->dilation == 1 ? 1 : window->kernel;
    const int bytes = window->dilation == 1 ? window->kernel * window->in : window->in;
    const edgecnn_vnni_rows shape = {taps, (bytes + 3) / 4 * 4, window->dilation * window->in,
                                     window->stride * window->in};
    int c = 0;
    edgecnn_vnni_fill(x, zero, before);
    edgecnn_vnni_copy(x + before, input, middle);
    edgecnn_vnni_fill(x + before + middle, zero, total * window->in + 4 - before - middle);
    for (; c + 64 <= window->out; c += 64)
        edgecnn_vnni_channels(window, requantization, &shape, x, weights, start, c, 4, output);
    if (c < window->out)
        edgecnn_vnni_channels(window, requantization, &shape, x, weights, start, c, (window->out - c + 15) / 16,
                              output);
}

#endif
