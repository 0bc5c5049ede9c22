/* What example programs need of stdio.h, printed into memory: a virtual board has no serial port, and clang for
 * freestanding cores no C library. */
#ifndef EDGECNN_BOARD_STDIO_H
#define EDGECNN_BOARD_STDIO_H

#include <stdint.h>

/* Print into `size` bytes from now on, ended by a zero; what does not fit is dropped. */
void edgecnn_board_console(int8_t *to, int32_t size);

/* Knows %s, %d and %%. */
int edgecnn_board_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define printf edgecnn_board_printf

#endif
