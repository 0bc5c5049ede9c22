/* printf of example programs on virtual boards. */
#include <stdarg.h>
#include <stdio.h>

static int8_t *next;
static int32_t room;
static int32_t printed;

void edgecnn_board_console(int8_t *to, int32_t size) {
    next = to;
    room = size;
    *next = 0;
}

static void put(char character) {
    ++printed;
    if (room > 1) {
        *next++ = (int8_t)character;
        *next = 0;
        --room;
    }
}

static void put_text(const char *text) {
    while (*text) {
        put(*text++);
    }
}

static void put_number(int value) {
    char digits[12];
    int count = 0;
    /* Negative values reach one further than positive ones. */
    unsigned left = value < 0 ? 0u - (unsigned)value : (unsigned)value;
    do {
        digits[count++] = (char)('0' + left % 10u);
        left /= 10u;
    } while (left);
    if (value < 0) {
        put('-');
    }
    while (count) {
        put(digits[--count]);
    }
}

int edgecnn_board_printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printed = 0;
    for (; *format; ++format) {
        if (*format != '%') {
            put(*format);
        } else if (*++format == 's') {
            put_text(va_arg(arguments, const char *));
        } else if (*format == 'd') {
            put_number(va_arg(arguments, int));
        } else {
            put('%');
        }
    }
    va_end(arguments);
    return (int)printed;
}
