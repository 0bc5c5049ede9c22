/* Elementwise functions of one byte, by table. */
#ifndef EDGECNN_TABLE_H
#define EDGECNN_TABLE_H

#include "edgecnn_base.h"

/* output[i] = table[input[i] + 128], n bytes; a table of bytes may hold uint8 too. In place is allowed. */
EDGECNN_KERNEL void edgecnn_table(int n, const int8_t *table, const int8_t *input, int8_t *output) {
    for (int i = 0; i < n; ++i)
        output[i] = table[input[i] + 128];
}

#endif
