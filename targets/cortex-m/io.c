/* The harness on an emulated Cortex-M: Arm semihosting ("Semihosting for AArch32 and AArch64", Arm, 2.0). */
#include "harness.h"

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT = 0x18 };
enum { OPEN_READ_BINARY = 1, OPEN_WRITE_BINARY = 5 };
enum { EXIT_DONE = 0x20026, EXIT_ERROR = 0x20023 };

#define S2C_PAINT_BYTES 16384u

extern unsigned char s2c_bss_end[];

void s2c_exit(int failed);
void s2c_fault(void);

S2C_HARNESS static unsigned s2c_semihost(unsigned operation, unsigned argument)
{
    register unsigned r0 __asm__("r0") = operation;
    register unsigned r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

S2C_HARNESS static unsigned s2c_open_terminal(unsigned mode)
{
    static const char name[] = ":tt";
    const unsigned block[3] = {(unsigned)name, mode, sizeof(name) - 1u};
    return s2c_semihost(SYS_OPEN, (unsigned)block);
}

/* SYS_READ and SYS_WRITE: the number of bytes that were not moved. */
S2C_HARNESS static unsigned s2c_move(unsigned operation, unsigned file, unsigned address, unsigned bytes)
{
    const unsigned block[3] = {file, address, bytes};
    return s2c_semihost(operation, (unsigned)block);
}

S2C_HARNESS s2c_size s2c_read(unsigned char *to, s2c_size bytes)
{
    static unsigned input; /* 0: not open yet; a semihosting handle is never 0 */
    if (input == 0u) {
        input = s2c_open_terminal(OPEN_READ_BINARY);
    }
    s2c_size done = 0;
    while (done < bytes) {
        unsigned wanted = (unsigned)(bytes - done);
        unsigned left = s2c_move(SYS_READ, input, (unsigned)(to + done), wanted);
        if (left >= wanted) {
            break;
        }
        done += wanted - left;
    }
    return done;
}

S2C_HARNESS void s2c_write(const unsigned char *from, s2c_size bytes)
{
    static unsigned output;
    if (output == 0u) {
        output = s2c_open_terminal(OPEN_WRITE_BINARY);
    }
    s2c_size done = 0;
    while (done < bytes) {
        unsigned wanted = (unsigned)(bytes - done);
        unsigned left = s2c_move(SYS_WRITE, output, (unsigned)(from + done), wanted);
        if (left >= wanted) {
            s2c_exit(1);
        }
        done += wanted - left;
    }
}

S2C_HARNESS void s2c_flush(void)
{
}

S2C_HARNESS s2c_size s2c_stack_room(const unsigned char *stack_pointer)
{
    s2c_size room = (s2c_size)(stack_pointer - s2c_bss_end);
    return room < S2C_PAINT_BYTES ? room : S2C_PAINT_BYTES;
}

/* Markers: the emulator counts from one to the other. The empty asm keeps two equal functions two functions. */
S2C_HARNESS void s2c_start(void)
{
    __asm__ volatile("" ::: "memory");
}

S2C_HARNESS unsigned long s2c_stop(void)
{
    __asm__ volatile("" ::: "memory");
    return 0;
}

S2C_HARNESS void s2c_fault(void)
{
    static const char message[] = "an exception was taken\n";
    (void)s2c_semihost(SYS_WRITE0, (unsigned)message);
    s2c_exit(1);
}

S2C_HARNESS void s2c_exit(int failed)
{
    (void)s2c_semihost(SYS_EXIT, failed != 0 ? EXIT_ERROR : EXIT_DONE);
    for (;;) {
    }
}
