/* The console on QEMU's mps2-an386, a Cortex-M4 with the CMSDK serial port and timer.
 *
 * EDGECNN_CONSOLE is the console's header, EDGECNN_NAME(x) puts the network's prefix before x, EDGECNN_MACRO(x) the
 * same in capitals. The clock is virtual: ticks tell how long the emulator took. */
#include EDGECNN_CONSOLE

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define TIMER_CONTROL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)

#define SERIAL_DATA REGISTER(0x40004000)
#define SERIAL_STATE REGISTER(0x40004004)
#define SERIAL_CONTROL REGISTER(0x40004008)
#define SERIAL_DIVIDER REGISTER(0x40004010)

#define COPROCESSOR_ACCESS REGISTER(0xE000ED88)
#define RESET_CONTROL REGISTER(0xE000ED0C)

enum { CLOCK_HZ = 25000000, SENDING_FULL = 1, RECEIVED = 2 };

extern uint8_t edgecnn_stack_low[];
extern uint8_t edgecnn_stack_high[];

static int read_byte(void) { return SERIAL_STATE & RECEIVED ? (int)(SERIAL_DATA & 0xFFu) : -1; }

static void write_bytes(const char *text, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        while (SERIAL_STATE & SENDING_FULL) {
        }
        SERIAL_DATA = (unsigned char)text[i];
    }
}

static uint32_t ticks(void) { return ~TIMER_VALUE; }

static int stack_bounds(uintptr_t *low, uintptr_t *high) {
    *low = (uintptr_t)edgecnn_stack_low;
    *high = (uintptr_t)edgecnn_stack_high;
    return 1;
}

static void serve(void) {
    static const EDGECNN_NAME(_console_port) port = {
        read_byte, write_bytes, ticks, CLOCK_HZ, EDGECNN_MACRO(_CLOCK_VIRTUAL), stack_bounds,
    };
    static EDGECNN_NAME(_console) console;
    static const char boot[] = "\r\nedgecnn virtual board\r\n";
    write_bytes(boot, sizeof boot - 1);
    EDGECNN_NAME(_console_init)(&console, &port);
    for (;;) {
        (void)EDGECNN_NAME(_console_poll)(&console);
    }
}

__attribute__((used, noreturn)) void edgecnn_reset(void) {
    COPROCESSOR_ACCESS |= 0xF00000u; /* coprocessors 10 and 11: floating point */
    __asm__ volatile("dsb\n isb" : : : "memory");
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1;
    SERIAL_DIVIDER = 16;
    SERIAL_CONTROL = 3; /* send and receive */
    (void)SERIAL_DATA;  /* QEMU asks for bytes that came before only once it is read */
    serve();
    for (;;) {
    }
}

/* A fault starts the board again, as a watchdog would. */
__attribute__((used, noreturn)) void edgecnn_fault(void) {
    RESET_CONTROL = 0x05FA0004u;
    for (;;) {
    }
}

typedef void (*handler)(void);

__attribute__((used, section(".vectors"))) const struct {
    uint8_t *stack;
    handler handlers[15];
} edgecnn_vectors = {
    edgecnn_stack_high,
    {edgecnn_reset, edgecnn_fault, edgecnn_fault, edgecnn_fault, edgecnn_fault, edgecnn_fault},
};
