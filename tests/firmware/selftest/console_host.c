/* The console on this machine: lines from stdin, answers to stdout. Ticks are made up: every call takes 1000 of them.
 *
 * CONSOLE is the console's header, NAME(x) puts the network's prefix before x; CLOCK, TICKS and STACK say what the
 * board has. */
#include CONSOLE

#include <stdlib.h>
#include <unistd.h>

static uintptr_t stack_top;

static int read_byte(void) {
    static unsigned char buffer[4096];
    static ssize_t have;
    static ssize_t at;
    if (at == have) {
        have = read(0, buffer, sizeof buffer);
        at = 0;
        if (have <= 0) {
            exit(0);
        }
    }
    return buffer[at++];
}

static void write_bytes(const char *text, size_t size) {
    while (size) {
        ssize_t sent = write(1, text, size);
        if (sent <= 0) {
            exit(0);
        }
        text += sent;
        size -= (size_t)sent;
    }
}

#if TICKS
static uint32_t ticks(void) {
    static uint32_t now = 0xFFFFFF00u; /* wraps around at once */
    now += 1000;
    return now;
}
#endif

#if STACK
static int stack_bounds(uintptr_t *low, uintptr_t *high) {
    *low = stack_top - 65536;
    *high = stack_top;
    return 1;
}
#endif

int main(void) {
    static NAME(_console) console;
    const NAME(_console_port) port = {
        read_byte,    write_bytes,
#if TICKS
        ticks,
#else
        0,
#endif
        1000000,      CLOCK,
#if STACK
        stack_bounds,
#else
        0,
#endif
    };
    stack_top = (uintptr_t)__builtin_frame_address(0);
    NAME(_console_init)(&console, &port);
    for (;;) {
        (void)NAME(_console_poll)(&console);
    }
}
