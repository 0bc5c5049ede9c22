/* How a convolution's kernel meets its input rows. */
#ifndef EDGECNN_PATCH_H
#define EDGECNN_PATCH_H

#include "edgecnn_base.h"

/* Every field is 1 or more unless its comment says otherwise. Rows are time steps; a row holds its channels. */
typedef struct {
    int length; /* input rows */
    int in;     /* input channels */
    int out;    /* output channels */
    int rows;   /* output rows, after pooling */
    int kernel, stride, dilation;
    int pad_before;     /* rows of zero points before the first input row; 0 or more */
    int pool;           /* convolution rows that one output row is the maximum of */
    int32_t zero_point; /* of the input: the value of padding */
    int direct; /* 1: no row of any patch is padding and dilation is 1, so that a patch is a slice of the input */
} edgecnn_window;

/* Copy the patch of one convolution row, `kernel * in` bytes, with padding filled in. */
EDGECNN_STEP void edgecnn_gather(const edgecnn_window *w, const int8_t *input, int row, int8_t *patch) {
    int from = row * w->stride - w->pad_before;
    for (int k = 0; k < w->kernel; ++k) {
        int at = from + k * w->dilation;
        if (at >= 0 && at < w->length)
            edgecnn_copy_apart(patch, input + at * w->in, w->in);
        else
            edgecnn_fill(patch, w->zero_point, w->in);
        patch += w->in;
    }
}

/* The patch of one convolution row: a slice of the input where there is one, else a copy in `scratch`. */
EDGECNN_INLINE const int8_t *edgecnn_patch(const edgecnn_window *w, const int8_t *input, int row, int8_t *scratch) {
    if (w->direct)
        return input + row * w->stride * w->in;
    edgecnn_gather(w, input, row, scratch);
    return scratch;
}

#endif
