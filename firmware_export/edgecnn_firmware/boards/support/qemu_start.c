/* Start of an image on QEMU: enable floating point and vectors, call the entry, hand memory back over semihosting.
 * QEMU has put inputs and patterns into memory before. */
#include <stdint.h>

extern void edgecnn_board_entry(void);
extern uint32_t edgecnn_board_dumped[];

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT = 0x18, STOPPED_BY_APPLICATION = 0x20026 };

static uint32_t host(uint32_t call, const void *arguments) {
    register uint32_t r0 __asm__("r0") = call;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

__attribute__((noinline, used)) void edgecnn_board_dump(void) {
    static const char terminal[] = ":tt";
    const uint32_t open[3] = {(uint32_t)terminal, 4, 3};
    uint32_t handle = host(SYS_OPEN, open);
    for (const uint32_t *span = edgecnn_board_dumped; span[1]; span += 2) {
        const uint32_t write[3] = {handle, span[0], span[1]};
        (void)host(SYS_WRITE, write);
    }
    (void)host(SYS_EXIT, (const void *)STOPPED_BY_APPLICATION);
    for (;;) {
    }
}

__attribute__((used, noreturn)) void edgecnn_board_fault(void) {
    (void)host(SYS_EXIT, (const void *)0x20023); /* a run-time error */
    for (;;) {
    }
}

/* Handing back has a stack of its own, and this function no frame, so that the stack shows the entry's frames alone. */
__attribute__((used, aligned(8))) uint8_t edgecnn_board_dump_stack[256];

__attribute__((used, naked)) void edgecnn_board_reset(void) {
    __asm__ volatile("ldr r0, =0xE000ED88\n" /* CPACR: coprocessors 10 and 11 */
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0xF00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "bl edgecnn_board_entry\n"
                     "ldr r0, =edgecnn_board_dump_stack + 256\n"
                     "mov sp, r0\n"
                     "bl edgecnn_board_dump\n"
                     "b .\n"
                     ".ltorg\n");
}

/* Addresses and sizes to hand back, written by QEMU's loader; a size of 0 ends them. */
__attribute__((used)) uint32_t edgecnn_board_dumped[16];

extern uint32_t edgecnn_board_stack_top[];

__attribute__((used, section(".vectors"))) void *const edgecnn_board_vectors[8] = {
    edgecnn_board_stack_top,     (void *)edgecnn_board_reset, (void *)edgecnn_board_fault, (void *)edgecnn_board_fault,
    (void *)edgecnn_board_fault, (void *)edgecnn_board_fault, (void *)edgecnn_board_fault, (void *)edgecnn_board_fault,
};
