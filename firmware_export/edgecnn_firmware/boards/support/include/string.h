/* The part of <string.h> that an image without a C library has; memory.c defines it. */
#ifndef EDGECNN_BOARD_STRING_H
#define EDGECNN_BOARD_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
