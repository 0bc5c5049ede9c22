/* Makes a library that is already in memory believe that this processor has no AVX-512: its CPUID instructions are
 * replaced by UD2, which is as long, and the signal that UD2 raises is answered with CPUID's result less those bits.
 * And samples where a program spends its time, which shows what the library then runs. Linux on x86-64, one thread. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define ADDRESSES 256
#define SAMPLES 4096
#define PAGE 4096u

static uintptr_t replaced[ADDRESSES];
static int replaced_count;
static volatile int answered_count;
static uint64_t samples[SAMPLES];
static volatile int sample_count;

/* Of leaf 7: F DQ IFMA PF ER CD BW VL; VBMI VBMI2 VNNI BITALG VPOPCNTDQ; 4VNNIW 4FMAPS VP2INTERSECT FP16. */
#define EBX_BITS (1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31)
#define ECX_BITS (1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14)
#define EDX_BITS (1u << 2 | 1u << 3 | 1u << 8 | 1u << 23)
/* Of its subleaf 1: BF16; AVX10. */
#define EAX_BITS_1 (1u << 5)
#define EDX_BITS_1 (1u << 19)
#define AVX10_LEAF 0x24u

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *const r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint32_t leaf = (uint32_t)r[REG_RAX], subleaf = (uint32_t)r[REG_RCX];
    unsigned a, b, c, d;
    int known = 0;
    (void)info;
    for (int i = 0; i < replaced_count; ++i)
        known |= replaced[i] == (uintptr_t)r[REG_RIP];
    if (!known) {
        /* Somebody else's: raised again, it ends the program as it would have. */
        signal(number, SIG_DFL);
        return;
    }
    __cpuid_count(leaf, subleaf, a, b, c, d);
    if (leaf == 7 && subleaf == 0) {
        b &= ~EBX_BITS;
        c &= ~ECX_BITS;
        d &= ~EDX_BITS;
    } else if (leaf == 7 && subleaf == 1) {
        a &= ~EAX_BITS_1;
        d &= ~EDX_BITS_1;
    } else if (leaf == AVX10_LEAF) {
        a = b = c = d = 0;
    }
    r[REG_RAX] = a;
    r[REG_RBX] = b;
    r[REG_RCX] = c;
    r[REG_RDX] = d;
    r[REG_RIP] += 2;
    ++answered_count;
}

static void sample(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if (sample_count < SAMPLES)
        samples[sample_count++] = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

static int handle(int number, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    return sigaction(number, &action, 0);
}

/* Replace the CPUID instructions at these addresses; how many were, or -1 where one is none or memory stays locked. */
int hide_avx512(const uint64_t *addresses, int count) {
    static const unsigned char cpuid[2] = {0x0f, 0xa2}, ud2[2] = {0x0f, 0x0b};
    if (count > ADDRESSES || handle(SIGILL, answer))
        return -1;
    for (int i = 0; i < count; ++i) {
        unsigned char *const at = (unsigned char *)(uintptr_t)addresses[i];
        unsigned char *const page = at - (uintptr_t)at % PAGE;
        if (memcmp(at, cpuid, 2) || mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC))
            return -1;
        replaced[replaced_count++] = (uintptr_t)at;
        memcpy(at, ud2, 2);
        if (mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC))
            return -1;
    }
    return count;
}

/* CPUID instructions that were answered so far. */
int answered(void) { return answered_count; }

/* Sample the instruction pointer anew each millisecond of processor time, or, with 0, no longer. */
int sample_each_ms(int on) {
    const struct timeval period = {0, on ? 1000 : 0};
    const struct itimerval timer = {period, period};
    if (handle(SIGPROF, sample))
        return -1;
    if (on)
        sample_count = 0;
    return setitimer(ITIMER_PROF, &timer, 0);
}

/* What was sampled, and how many. */
const uint64_t *sampled(int *count) {
    *count = sample_count;
    return samples;
}
