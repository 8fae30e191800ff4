/* The harness in a Linux process without a C library: standard input and output by system calls. */
#include "harness.h"

/* Linux, include/uapi/asm-generic/unistd.h. */
enum { SYSTEM_READ = 63, SYSTEM_WRITE = 64, SYSTEM_EXIT_GROUP = 94 };
enum { INPUT = 0, OUTPUT = 1, ERRORS = 2 };

#define S2C_REFUSAL                                                                                          \
    "this processor lacks instructions that the net was compiled for: "                                      \
    "compile it here for the target host, or for an older processor\n"
#define S2C_TRUNCATED "the input ended within an inference\n"

void s2c_begin(void);

S2C_HARNESS static long s2c_system(long number, long first, const unsigned char *bytes, s2c_size count)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register const unsigned char *x1 __asm__("x1") = bytes;
    register s2c_size x2 __asm__("x2") = count;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

S2C_HARNESS static void s2c_exit(int status)
{
    (void)s2c_system(SYSTEM_EXIT_GROUP, status, 0, 0);
    for (;;) {
    }
}

S2C_HARNESS s2c_size s2c_read(unsigned char *to, s2c_size bytes)
{
    s2c_size done = 0;
    while (done < bytes) {
        long came = s2c_system(SYSTEM_READ, INPUT, to + done, bytes - done);
        if (came <= 0) {
            break;
        }
        done += (s2c_size)came;
    }
    return done;
}

S2C_HARNESS static void s2c_write_to(long file, const unsigned char *from, s2c_size bytes)
{
    s2c_size done = 0;
    while (done < bytes) {
        long went = s2c_system(SYSTEM_WRITE, file, from + done, bytes - done);
        if (went <= 0) {
            s2c_exit(1);
        }
        done += (s2c_size)went;
    }
}

S2C_HARNESS void s2c_write(const unsigned char *from, s2c_size bytes)
{
    s2c_write_to(OUTPUT, from, bytes);
}

S2C_HARNESS void s2c_flush(void)
{
}

S2C_HARNESS s2c_size s2c_stack_room(const unsigned char *stack_pointer)
{
    (void)stack_pointer;
    return 65536u;
}

/* Marks for the emulator, which counts between them: not empty, or no call would be left. */
S2C_HARNESS void s2c_start(void)
{
    __asm__ volatile("");
}

S2C_HARNESS unsigned long s2c_stop(void)
{
    __asm__ volatile("");
    return 0;
}

S2C_HARNESS void s2c_begin(void)
{
    int failed = s2c_serve(1, 0);
    if (failed == S2C_LACKS_INSTRUCTIONS) {
        s2c_write_to(ERRORS, (const unsigned char *)S2C_REFUSAL, sizeof(S2C_REFUSAL) - 1u);
    } else if (failed != 0) {
        s2c_write_to(ERRORS, (const unsigned char *)S2C_TRUNCATED, sizeof(S2C_TRUNCATED) - 1u);
    }
    s2c_exit(failed);
}
