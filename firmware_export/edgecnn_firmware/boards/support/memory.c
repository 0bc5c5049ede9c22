/* memcpy and its kin for images without a C library: compilers call them even from freestanding code.
 * Word copies where both ends are aligned, as small C libraries do, so that counts are not those of a byte loop. */
#include <stddef.h>
#include <stdint.h>

#include <string.h>

typedef uint32_t __attribute__((may_alias)) word_t;

static int aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0; }

void *memcpy(void *to, const void *from, size_t size) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (aligned(to, from)) {
        for (; size >= 4; size -= 4, out += 4, in += 4) {
            *(word_t *)out = *(const word_t *)in;
        }
    }
    for (; size; size--) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in) {
        for (; size; size--) {
            *out++ = *in++;
        }
    } else {
        while (size) {
            size--;
            out[size] = in[size];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t size) {
    uint8_t *out = to;
    if (aligned(to, to)) {
        uint32_t word = (uint8_t)value * 0x01010101u;
        for (; size >= 4; size -= 4, out += 4) {
            *(word_t *)out = word;
        }
    }
    for (; size; size--) {
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (; size; size--, left++, right++) {
        if (*left != *right) {
            return *left - *right;
        }
    }
    return 0;
}
