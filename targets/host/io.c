/* The harness on the machine that runs s2c: standard input and output, the monotonic clock. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct timespec started;

s2c_size s2c_read(unsigned char *to, s2c_size bytes)
{
    return fread(to, 1, bytes, stdin);
}

void s2c_write(const unsigned char *from, s2c_size bytes)
{
    (void)fwrite(from, 1, bytes, stdout);
}

void s2c_flush(void)
{
    (void)fflush(stdout);
}

s2c_size s2c_stack_room(const unsigned char *stack_pointer)
{
    (void)stack_pointer;
    return 65536u;
}

void s2c_start(void)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &started);
}

unsigned long s2c_stop(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long nanoseconds = (now.tv_sec - started.tv_sec) * 1000000000L + (now.tv_nsec - started.tv_nsec);
    return (unsigned long)nanoseconds;
}

int main(int count, char **arguments)
{
    s2c_size repeat = 1;
    if (count == 3 && strcmp(arguments[1], "--repeat") == 0) {
        repeat = strtoul(arguments[2], NULL, 10);
    }
    if (repeat == 0u || (count != 1 && count != 3)) {
        (void)fprintf(stderr, "usage: %s [--repeat N]\n", arguments[0]);
        return 2;
    }
    unsigned long *times = calloc(repeat, sizeof(*times));
    if (times == NULL) {
        (void)fprintf(stderr, "no memory for %lu times\n", repeat);
        return 2;
    }
    int failed = s2c_serve(repeat, times);
    if (failed == S2C_LACKS_INSTRUCTIONS) {
        (void)fprintf(stderr, "this processor lacks instructions that the net was compiled for: "
                              "compile it here for the target host, or for an older processor\n");
    } else if (failed == S2C_NO_THREADS) {
        (void)fprintf(stderr, "the system starts no more threads: compile with fewer\n");
    } else if (failed == S2C_THREADS_DIFFER) {
        (void)fprintf(stderr, "the threads computed other bytes than one thread alone\n");
    } else if (failed != 0) {
        (void)fprintf(stderr, "the input ended within an inference\n");
    }
    free(times);
    return failed;
}
