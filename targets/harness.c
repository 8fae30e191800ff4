/* The main loop of every artifact: raw inputs in, raw outputs out, one line of counters. */
#include "harness.h"
#include "net.h"

#define S2C_PAINT 0xA5C396E1u

#ifdef S2C_CLOCK
#define S2C_CLOCK_STACK_BYTES 16384 /* the first call of a clock may pass through the dynamic linker */
#else
#define S2C_CLOCK_STACK_BYTES 0
#endif

struct s2c_span {
    unsigned offset;
    unsigned bytes;
};

/* External, so that an emulator can read the sizes from the image. */
extern const struct s2c_span s2c_inputs[];
extern const struct s2c_span s2c_outputs[];
const struct s2c_span s2c_inputs[] = S2C_INPUTS;
const struct s2c_span s2c_outputs[] = S2C_OUTPUTS;
#define S2C_COUNT(spans) (sizeof(spans) / sizeof((spans)[0]))

static unsigned char s2c_arena[S2C_ARENA_BYTES] __attribute__((aligned(S2C_ARENA_ALIGNMENT)));
#ifdef S2C_CLOCK
/* The net may overwrite its inputs, so a repeated run needs them back. */
static unsigned char s2c_kept[S2C_ARENA_BYTES];
#endif

static inline unsigned char *s2c_stack_pointer(void)
{
    unsigned char *pointer;
#if defined(__arm__) || defined(__aarch64__)
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#elif defined(__x86_64__)
    __asm__ volatile("mov %%rsp, %0" : "=r"(pointer));
#elif defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#else
#error "no stack pointer known for this architecture"
#endif
    return pointer;
}

#ifdef S2C_TEAM
static S2C_TEAM s2c_team;
#endif

/* The net's stack pointer, set by each run. */
static unsigned char *s2c_run_stack;
#ifdef S2C_CYCLES
static unsigned long s2c_cycles; /* of the chip that the net is a model of, in the last run */
#endif
#ifdef S2C_INTERVAL
static unsigned long s2c_interval; /* the same, between two results */
#endif

/* Reading a clock uses the stack as well: the net runs so far below that the clock never reaches its part. */
S2C_HARNESS static void s2c_run(void)
{
#ifdef S2C_CLOCK
    unsigned char gap[S2C_CLOCK_STACK_BYTES];
    __asm__ volatile("" : : "r"(gap) : "memory");
#endif
    s2c_run_stack = s2c_stack_pointer();
#ifdef S2C_CYCLES
    s2c_cycles = (unsigned long)S2C_CYCLES(s2c_arena);
#else
    S2C_RUN(s2c_arena);
#endif
#ifdef S2C_CLOCK
    __asm__ volatile("" : : "r"(gap) : "memory"); /* keeps the gap until here */
#endif
}

/* Runs the net once: the stack that it touched, in bytes. */
S2C_HARNESS static s2c_size s2c_painted_run(unsigned long *time)
{
    unsigned char *top = s2c_stack_pointer() - S2C_CLOCK_STACK_BYTES;
    s2c_size words = s2c_stack_room(top) / sizeof(unsigned);
    volatile unsigned *low = (volatile unsigned *)(void *)(top - words * sizeof(unsigned));
    for (s2c_size i = 0; i < words; i++) {
        low[i] = S2C_PAINT;
    }
    s2c_start();
    s2c_run();
    *time = s2c_stop();
    volatile unsigned *run_stack = (volatile unsigned *)(void *)s2c_run_stack;
    while (low < run_stack && *low == S2C_PAINT) {
        low++;
    }
    return (s2c_size)(run_stack - low) * sizeof(unsigned);
}

#ifdef S2C_CLOCK
static void s2c_copy_inputs(unsigned char *to, const unsigned char *from)
{
    for (s2c_size i = 0; i < S2C_COUNT(s2c_inputs); i++) {
        for (s2c_size j = 0; j < s2c_inputs[i].bytes; j++) {
            to[s2c_inputs[i].offset + j] = from[s2c_inputs[i].offset + j];
        }
    }
}

static void s2c_repeat(s2c_size first, s2c_size repeat, unsigned long *times)
{
    for (s2c_size n = first; n < repeat; n++) {
        s2c_copy_inputs(s2c_arena, s2c_kept);
        s2c_start();
#ifdef S2C_TEAM
        S2C_TEAM_RUN(&s2c_team, s2c_arena);
#else
        s2c_run();
#endif
        times[n] = s2c_stop();
    }
}
#endif

#ifdef S2C_TEAM
static unsigned char s2c_alone[S2C_ARENA_BYTES];

/* Whether the outputs of two arenas are the same bytes. */
static int s2c_same_outputs(const unsigned char *a, const unsigned char *b)
{
    unsigned different = 0;
    for (s2c_size i = 0; i < S2C_COUNT(s2c_outputs); i++) {
        for (s2c_size j = 0; j < s2c_outputs[i].bytes; j++) {
            different |= (unsigned)(a[s2c_outputs[i].offset + j] ^ b[s2c_outputs[i].offset + j]);
        }
    }
    return different == 0u;
}

/* All of it: a net's states are to be as they were, too. */
static void s2c_copy_arena(unsigned char *to, const unsigned char *from)
{
    for (s2c_size i = 0; i < S2C_ARENA_BYTES; i++) {
        to[i] = from[i];
    }
}
#endif

S2C_HARNESS static void s2c_text(const char *text)
{
    s2c_size length = 0;
    while (text[length] != '\0') {
        length++;
    }
    s2c_write((const unsigned char *)text, length);
}

S2C_HARNESS static void s2c_number(unsigned long value)
{
    unsigned char digits[24];
    s2c_size first = sizeof(digits);
    do {
        first--;
        digits[first] = (unsigned char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    s2c_write(digits + first, sizeof(digits) - first);
}

S2C_HARNESS static void s2c_counters(s2c_size stack_bytes, s2c_size repeat, const unsigned long *times)
{
    s2c_text("{\"stack_bytes\": ");
    s2c_number(stack_bytes);
#ifdef S2C_CYCLES
    s2c_text(", \"cycles\": ");
    s2c_number(s2c_cycles);
#endif
#ifdef S2C_INTERVAL
    s2c_text(", \"interval\": ");
    s2c_number(s2c_interval);
#endif
#ifdef S2C_CLOCK
    s2c_text(repeat > 1u ? ", \"nanoseconds\": [" : ", \"nanoseconds\": ");
    for (s2c_size n = 0; n < repeat; n++) {
        if (n > 0u) {
            s2c_text(", ");
        }
        s2c_number(times[n]);
    }
    if (repeat > 1u) {
        s2c_text("]");
    }
#else
    (void)repeat;
    (void)times;
#endif
    s2c_text("}\n");
    s2c_flush();
}

/* 0: all inputs are in the arena. 1: the input ended before the first byte. 2: it ended later. */
S2C_HARNESS static int s2c_read_inputs(void)
{
    for (s2c_size i = 0; i < S2C_COUNT(s2c_inputs); i++) {
        s2c_size came = s2c_read(s2c_arena + s2c_inputs[i].offset, s2c_inputs[i].bytes);
        if (came < s2c_inputs[i].bytes) {
            return i == 0u && came == 0u ? 1 : 2;
        }
    }
    return 0;
}

S2C_HARNESS int s2c_serve(s2c_size repeat, unsigned long *times)
{
    unsigned long one_time;
    unsigned long *first_time = times != 0 ? times : &one_time;
#ifdef S2C_SUPPORTED
    if (S2C_SUPPORTED() == 0) {
        return S2C_LACKS_INSTRUCTIONS;
    }
#endif
#ifdef S2C_TEAM
    if (S2C_TEAM_START(&s2c_team) != 0) {
        return S2C_NO_THREADS;
    }
#endif
#ifdef S2C_RESET
    S2C_RESET(s2c_arena);
#endif
    for (;;) {
        int ended = s2c_read_inputs();
        if (ended != 0) {
            return ended - 1;
        }
#ifdef S2C_INTERVAL
        /* Many runs, so only with the first inputs, unless it is not the same with all of them. */
        if (s2c_interval == 0) {
            s2c_interval = (unsigned long)S2C_INTERVAL(s2c_arena);
        }
#endif
#if defined(S2C_TEAM)
        /* The stack is that of a run alone; what comes out is the team's. */
        s2c_copy_arena(s2c_kept, s2c_arena);
        s2c_size stack_bytes = s2c_painted_run(first_time);
        s2c_copy_arena(s2c_alone, s2c_arena);
        s2c_copy_arena(s2c_arena, s2c_kept);
        s2c_repeat(0, 1, first_time);
        if (!s2c_same_outputs(s2c_alone, s2c_arena)) {
            return S2C_THREADS_DIFFER;
        }
        s2c_repeat(1, repeat, first_time);
#elif defined(S2C_CLOCK)
        s2c_copy_inputs(s2c_kept, s2c_arena);
        s2c_size stack_bytes = s2c_painted_run(first_time);
        s2c_repeat(1, repeat, first_time);
#else
        s2c_size stack_bytes = s2c_painted_run(first_time);
#endif
        for (s2c_size i = 0; i < S2C_COUNT(s2c_outputs); i++) {
            s2c_write(s2c_arena + s2c_outputs[i].offset, s2c_outputs[i].bytes);
        }
        s2c_counters(stack_bytes, repeat, first_time);
    }
}
