/* Counts the net's instructions from blocks of code, the same for both emulators. Host code. */
#ifndef S2C_COUNT_H
#define S2C_COUNT_H

#include <stdint.h>

enum { S2C_CALLS_MAX = 65536 };

/* emulator.py mirrors the order of these fields. */
struct s2c_count {
    uint32_t start, stop;            /* addresses of the markers s2c_start and s2c_stop */
    uint32_t net_start, net_end;     /* the net's own text */
    uint64_t limit;                  /* instructions of any code without passing a marker */
    const uint32_t *function_starts; /* the listed functions */
    const uint32_t *function_ends;
    uint32_t functions;
    uint32_t overrun;                /* out: the limit was reached */
    uint64_t executed;               /* since the last marker */
    uint64_t instructions;           /* of the net since s2c_start */
    uint32_t previous;               /* 1 + the listed function that ran last, 0 for other code */
    uint32_t calls;                  /* entries into listed functions since s2c_start */
    uint64_t entries[S2C_CALLS_MAX]; /* `instructions` at each of them */
};

/* 1 + the listed function that holds `address`, or 0. */
static inline uint32_t s2c_function_at(const struct s2c_count *count, uint32_t address)
{
    for (uint32_t i = 0; i < count->functions; i++) {
        if (address >= count->function_starts[i] && address < count->function_ends[i]) {
            return i + 1u;
        }
    }
    return 0;
}

static inline int s2c_is_net(const struct s2c_count *count, uint32_t address)
{
    return address >= count->net_start && address < count->net_end;
}

/* One executed block. A loop back to a function's first instruction is no entry, so the previous block decides. */
static inline void s2c_count_block(struct s2c_count *count, uint32_t address, uint32_t instructions,
                                   uint32_t function)
{
    count->executed += instructions;
    if (count->executed > count->limit) {
        count->overrun = 1;
    }
    if (s2c_is_net(count, address)) {
        if (function != 0u && function != count->previous &&
            address == count->function_starts[function - 1u]) {
            if (count->calls < S2C_CALLS_MAX) {
                count->entries[count->calls] = count->instructions;
            }
            count->calls++;
        }
        count->previous = function;
        count->instructions += instructions;
    } else if (address == count->start) {
        count->executed = 0;
        count->instructions = 0;
        count->previous = 0;
        count->calls = 0;
    } else if (address == count->stop) {
        count->executed = 0;
    }
}

#endif
