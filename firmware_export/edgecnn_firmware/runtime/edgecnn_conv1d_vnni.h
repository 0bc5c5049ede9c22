/* Conv1D and dense layers for AVX-512 VNNI: the sums of a block of rows by up to 64 output channels stay in registers.
 */
#ifndef EDGECNN_CONV1D_VNNI_H
#define EDGECNN_CONV1D_VNNI_H

#include "edgecnn_patch.h"
#include "edgecnn_vnni.h"

/* Whether a block is written while the next is summed. */
#if EDGECNN_HAS_VNNI && !defined(EDGECNN_OPTIMIZE_SIZE)
#define EDGECNN_VNNI_HOLDS 1
#else
#define EDGECNN_VNNI_HOLDS 0
#endif

/* Of 32 registers, these hold sums; the others weights and inputs. */
#define EDGECNN_VNNI_SUMS 16
/* Loops over more taps than these stay loops. */
#define EDGECNN_VNNI_TAPS 8

/* What the rows of a layer are made of: `taps` runs of `run` bytes, a multiple of 4, `pitch` bytes from one to the
 * next; the next row lies `step` bytes on. */
typedef struct {
    int taps, run, pitch, step;
} edgecnn_vnni_rows;

/* What a block of rows is: the rows of the convolution from `row` on, by `groups` groups of channels from c on. They
 * are whole pooled rows, or part of one. */
typedef struct {
    int row, rows, c, groups;
} edgecnn_vnni_block;

/* Output rows of a block. */
EDGECNN_INLINE int edgecnn_vnni_pooled(const edgecnn_window *window, const edgecnn_vnni_block *block) {
    return block->rows / edgecnn_min(window->pool, block->rows);
}

/* Rows that are written at once. */
EDGECNN_INLINE int edgecnn_vnni_unit(const edgecnn_window *window, const edgecnn_vnni_block *block, int larger) {
    const int whole = window->out == 16 * block->groups && block->groups != 3;
    const int narrow = window->out < 16 && window->out % 4 == 0 && !larger;
    return whole || narrow ? 4 / block->groups : 1;
}

/* Requantize and write one unit of a block's rows, from `row` on. */
EDGECNN_INLINE void edgecnn_vnni_write_unit(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                            const edgecnn_vnni_block *block, const edgecnn_v16 *sums, int row,
                                            int8_t *output) {
    const int out = window->out, c = block->c, groups = block->groups, larger = block->row % window->pool != 0;
    const int most = edgecnn_vnni_unit(window, block, larger);
    const int rows = edgecnn_min(most, edgecnn_vnni_pooled(window, block) - row);
    int8_t *const to = output + (block->row / window->pool + row) * out + c;
    edgecnn_v16 y[4];
    edgecnn_v16_requantize(requantization, c, groups, 0, rows * groups, sums + row * groups, y);
    if (out < 16 && most > 1)
        edgecnn_v16_write_narrow(requantization, out, y, rows, to);
    else
        edgecnn_v16_write(requantization, y, rows * groups, edgecnn_min(rows * (out - c), 16 * rows * groups), larger,
                          to);
}

EDGECNN_INLINE void edgecnn_vnni_write_block(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                             const edgecnn_vnni_block *block, const edgecnn_v16 *sums, int8_t *output) {
    const int unit = edgecnn_vnni_unit(window, block, block->row % window->pool != 0);
    EDGECNN_VNNI_UNROLL(24)
    for (int row = 0; row < edgecnn_vnni_pooled(window, block); row += unit)
        edgecnn_vnni_write_unit(window, requantization, block, sums, row, output);
}

/* What a convolution computes from. */
typedef struct {
    const uint8_t *x;
    const int8_t *weights;
    const int32_t *start;
    edgecnn_vnni_rows shape;
} edgecnn_vnni_layer;

/* The sums of a block, row by row, where rows are pooled of the pooled rows. `before`: a block whose sums, `held`, are
 * written meanwhile; these instructions fill the gaps that products leave. Null: none. */
EDGECNN_INLINE void edgecnn_vnni_sums(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                      const edgecnn_vnni_layer *layer, const edgecnn_vnni_block *block,
                                      edgecnn_v16 *sums, const edgecnn_vnni_block *before, const edgecnn_v16 *held,
                                      int8_t *output) {
    const edgecnn_vnni_rows *const shape = &layer->shape;
    const int rows = block->rows, groups = block->groups, group = shape->taps * shape->run * 16;
    const uint8_t *const x = layer->x + block->row * shape->step;
    const int8_t *const w = layer->weights + block->c * shape->taps * shape->run;
    const int32_t *const start = edgecnn_vnni_fresh(layer->start + block->c);
    /* A tap is summed in parts, between which one unit each is written. */
    const int unit = before ? edgecnn_vnni_unit(window, before, 0) : 1;
    const int units = before ? (edgecnn_vnni_pooled(window, before) + unit - 1) / unit : 0;
    const int parts = edgecnn_min((units + shape->taps - 1) / shape->taps, shape->run / 4);
    const int part = parts ? (shape->run / 4 + parts - 1) / parts * 4 : shape->run;
    int row = 0;
    EDGECNN_VNNI_UNROLL(24)
    for (int n = 0; n < rows * groups; ++n)
        sums[n] = edgecnn_v16_load(start + n % groups * 16);
    EDGECNN_VNNI_UNROLL(EDGECNN_VNNI_TAPS)
    for (int k = 0; k < shape->taps; ++k) {
        EDGECNN_VNNI_UNROLL(12)
        for (int from = 0; from < shape->run; from += part) {
            const uint8_t *at = x + k * shape->pitch + from;
            const int8_t *v = w + (k * shape->run + from) * 16;
            const int end = edgecnn_min(part, shape->run - from);
            if (before && row < edgecnn_vnni_pooled(window, before)) {
                edgecnn_vnni_write_unit(window, requantization, before, held, row, output);
                row += unit;
            }
            EDGECNN_VNNI_UNROLL(1)
            for (int i = 0; i < end; i += 4, v += 64) {
                EDGECNN_VNNI_UNROLL(24)
                for (int n = 0; n < rows * groups; ++n)
                    sums[n] = edgecnn_v16_dot(sums[n], edgecnn_v16_repeat(at + n / groups * shape->step + i),
                                              edgecnn_v16_load_weights(v + n % groups * group));
            }
        }
    }
    if (before) {
        EDGECNN_VNNI_UNROLL(12)
        for (; row < edgecnn_vnni_pooled(window, before); row += unit)
            edgecnn_vnni_write_unit(window, requantization, before, held, row, output);
    }
    if (edgecnn_min(window->pool, rows) > 1) {
        const int pool = edgecnn_min(window->pool, rows);
        EDGECNN_VNNI_UNROLL(24)
        for (int n = 0; n < rows * groups; ++n) {
            const int to = n / groups / pool * groups + n % groups;
            sums[to] = n / groups % pool ? edgecnn_v16_max(sums[to], sums[n]) : sums[n];
        }
    }
}

/* Sum a block and write it. */
EDGECNN_INLINE void edgecnn_vnni_alone(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                       const edgecnn_vnni_layer *layer, int row, int rows, int c, int groups,
                                       int8_t *output) {
    const edgecnn_vnni_block block = {row, rows, c, groups};
    edgecnn_v16 sums[EDGECNN_VNNI_SUMS];
    edgecnn_vnni_sums(window, requantization, layer, &block, sums, 0, 0, output);
    edgecnn_vnni_write_block(window, requantization, &block, sums, output);
}

EDGECNN_INLINE void edgecnn_vnni_hold(edgecnn_v16 *held, const edgecnn_v16 *sums, int count) {
    EDGECNN_VNNI_UNROLL(24)
    for (int n = 0; n < count; ++n)
        held[n] = sums[n];
}

/* All rows of `groups` groups of channels from c on. */
EDGECNN_INLINE void edgecnn_vnni_channels(const edgecnn_window *window, const edgecnn_requantization *requantization,
                                          const edgecnn_vnni_layer *layer, int c, int groups, int8_t *output) {
    const int most = edgecnn_min(EDGECNN_VNNI_SUMS / groups, 12);
    const int pool = window->pool, conv_rows = window->rows * pool;
    if (pool <= most) {
        const int rows = most / pool * pool, rest = conv_rows % rows;
        int row = 0;
        /* Plain C has no gaps to fill, and loops that stay loops would fill none. */
        if (EDGECNN_VNNI_HOLDS && conv_rows >= 2 * rows) {
            edgecnn_vnni_block last = {0, rows, c, groups};
            edgecnn_v16 sums[EDGECNN_VNNI_SUMS], held[EDGECNN_VNNI_SUMS];
            edgecnn_vnni_sums(window, requantization, layer, &last, sums, 0, 0, output);
            for (row = rows; row + rows <= conv_rows; row += rows) {
                const edgecnn_vnni_block block = {row, rows, c, groups};
                edgecnn_vnni_hold(held, sums, rows / pool * groups);
                edgecnn_vnni_sums(window, requantization, layer, &block, sums, &last, edgecnn_vnni_fresh_sums(held),
                                  output);
                last.row = row;
            }
            edgecnn_vnni_write_block(window, requantization, &last, sums, output);
        } else {
            for (; row + rows <= conv_rows; row += rows)
                edgecnn_vnni_alone(window, requantization, layer, row, rows, c, groups, output);
        }
        if (rest)
            edgecnn_vnni_alone(window, requantization, layer, row, rest, c, groups, output);
    } else {
        const int rest = pool % most;
        for (int first = 0; first < conv_rows; first += pool) {
            int row = 0;
            for (; row + most <= pool; row += most)
                edgecnn_vnni_alone(window, requantization, layer, first + row, most, c, groups, output);
            if (rest)
                edgecnn_vnni_alone(window, requantization, layer, first + row, rest, c, groups, output);
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
    const edgecnn_vnni_layer layer = {
        x, weights, start, {taps, (bytes + 3) / 4 * 4, window->dilation * window->in, window->stride * window->in}};
    int c = 0;
    edgecnn_vnni_fill(x, zero, before);
    edgecnn_vnni_copy(x + before, input, middle);
    edgecnn_vnni_fill(x + before + middle, zero, total * window->in + 4 - before - middle);
    for (; c + 64 <= window->out; c += 64)
        edgecnn_vnni_channels(window, requantization, &layer, c, 4, output);
    if (c < window->out)
        edgecnn_vnni_channels(window, requantization, &layer, c, (window->out - c + 15) / 16, output);
}

#endif
