/* Unicorn's block hook: a block's address and size -> instructions, by the length of each Thumb encoding. Host code. */
#include "count.h"

#include <stdlib.h>

typedef void (*s2c_stop_emulator)(void *engine);

struct s2c_block {
    uint32_t size; /* 0: not seen yet */
    uint32_t instructions;
    uint32_t function;
};

/* emulator.py mirrors the order of the fields down to `blocks`. */
struct s2c_hook {
    const uint8_t *flash; /* the emulated bytes from flash_origin on */
    uint32_t flash_origin, flash_size;
    s2c_stop_emulator stop;
    struct s2c_block *blocks; /* one for each halfword of the flash */
    struct s2c_count count;
};

/* Armv7-M Architecture Reference Manual, A5.1: these top five bits begin a 32-bit instruction. */
static uint32_t thumb_instructions(const uint8_t *code, uint32_t size)
{
    uint32_t found = 0;
    for (uint32_t at = 0; at + 1u < size; found++) {
        uint32_t top = code[at + 1u] >> 3;
        at += top == 0x1Du || top == 0x1Eu || top == 0x1Fu ? 4u : 2u;
    }
    return found;
}

uint32_t s2c_hook_bytes(void);
void s2c_hook_block(void *engine, uint64_t address, uint32_t size, void *user);

uint32_t s2c_hook_bytes(void)
{
    return (uint32_t)sizeof(struct s2c_hook);
}

void s2c_hook_block(void *engine, uint64_t address, uint32_t size, void *user)
{
    struct s2c_hook *hook = user;
    uint32_t offset = (uint32_t)address - hook->flash_origin;
    if (offset >= hook->flash_size || size > hook->flash_size - offset) {
        return;
    }
    struct s2c_block *block = &hook->blocks[offset / 2u];
    if (block->size != size) {
        block->size = size;
        block->instructions = thumb_instructions(hook->flash + offset, size);
        block->function = s2c_function_at(&hook->count, (uint32_t)address);
    }
    s2c_count_block(&hook->count, (uint32_t)address, block->instructions, block->function);
    if (hook->count.overrun != 0u) {
        hook->stop(engine);
    }
}
