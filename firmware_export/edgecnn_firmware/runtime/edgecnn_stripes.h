/* Ops that run in turns, a stripe of rows at a time: the rows between them that are still to be read. */
#ifndef EDGECNN_STRIPES_H
#define EDGECNN_STRIPES_H

#include "edgecnn_move.h"
#include "edgecnn_requantize.h"

/* Rows `first` to `end` - 1 of a value are in memory, one after another, `row_bytes` bytes each. Rows before 0 and
 * after the last are padding. */
typedef struct {
    int first, end;
} edgecnn_rows;

/* How many rows are to be made for the rows up to `due`, of `all`. */
EDGECNN_INLINE int edgecnn_rows_due(int end, int due, int all) { return edgecnn_min(due, all) - end; }

/* Forget the rows before `lowest`; where the next row goes. */
EDGECNN_SHARED int8_t *edgecnn_rows_next(edgecnn_rows *v, int8_t *bytes, int row_bytes, int lowest) {
    const int first = edgecnn_max(v->first, edgecnn_min(lowest, v->end));
    const int kept = (v->end - first) * row_bytes;
    edgecnn_move_run(bytes, bytes + (first - v->first) * row_bytes, kept);
    v->first = first;
    return bytes + kept;
}

/* After the last of `all` rows come `padding` rows of `fill`. */
EDGECNN_INLINE void edgecnn_rows_pad(edgecnn_rows *v, int8_t *bytes, int row_bytes, int all, int padding,
                                     int32_t fill) {
    if (v->end == all) {
        edgecnn_fill(bytes + (all - v->first) * row_bytes, fill, padding * row_bytes);
        v->end += padding;
    }
}

/* What a reduction keeps from stripe to stripe: sums of a mean or of a dense layer, or the largest so far. */
EDGECNN_INLINE void edgecnn_sums_begin(int32_t *sums, int channels, int32_t from) {
    for (int c = 0; c < channels; ++c)
        sums[c] = from;
}

EDGECNN_STEP void edgecnn_mean_rows(int32_t *sums, int rows, int channels, const int8_t *x) {
    for (int c = 0; c < channels; ++c) {
        int32_t sum = sums[c];
        for (int row = 0; row < rows; ++row)
            sum += x[row * channels + c];
        sums[c] = sum;
    }
}

/* The arguments as those of edgecnn_mean. */
EDGECNN_INLINE void edgecnn_mean_end(const int32_t *sums, int channels, int32_t multiplier, int shift,
                                     int32_t zero_point, int8_t *output) {
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    for (int c = 0; c < channels; ++c) {
        const int32_t sum = edgecnn_shift_left(sums[c], left);
        output[c] = (int8_t)edgecnn_clamp_int8(edgecnn_rdpot(edgecnn_srdhm(sum, multiplier), right) + zero_point);
    }
}

/* `count` inputs of a dense layer of `products` inputs; weights: (out, products), from the first of these inputs on. */
EDGECNN_STEP void edgecnn_dense_rows(int32_t *sums, int out, int products, int count, const int8_t *weights,
                                     const int8_t *x) {
    for (int c = 0; c < out; ++c, weights += products) {
        int32_t sum = sums[c];
        EDGECNN_UNROLL(8)
        for (int i = 0; i < count; ++i)
            sum += x[i] * weights[i];
        sums[c] = sum;
    }
}

EDGECNN_INLINE void edgecnn_dense_end(const int32_t *sums, int out, const edgecnn_requantization *requantization,
                                      int8_t *output) {
    for (int c = 0; c < out; ++c)
        output[c] = (int8_t)edgecnn_requantize(requantization, c, sums[c]);
}

EDGECNN_STEP void edgecnn_max_rows(int8_t *largest, int rows, int channels, const int8_t *x) {
    for (int c = 0; c < channels; ++c) {
        int32_t y = largest[c];
        for (int row = 0; row < rows; ++row)
            y = edgecnn_max(y, x[row * channels + c]);
        largest[c] = (int8_t)y;
    }
}

#endif
