/* The chip of kernels/verilog/README.md in C, clock by clock: the same reads, writes and results in the same cycles.
   A net's file has its program and ROMs below, and above it what halves.c asks for, S2C_ARENA (bytes) and, where it has a
   softmax, S2C_SOFTMAX_CYCLES (of a row).

   An instruction that starts too early gives wrong bytes here, too. Bytes beyond the arena belong to no result: reading
   them gives padding, writing nothing. */
#include "halves.c"

typedef struct {
    s2c_halves halves;
    unsigned char *arena;
    const s2c_back *next_back;
    int32_t output;
} s2c_chip;

/* The bytes of the step's lanes: each takes one of the first `width`. */
S2C_INLINE void s2c_read(const s2c_chip *chip, int8_t *x)
{
    const s2c_front *const front = chip->halves.front;
    const int32_t address = chip->halves.address;
    int32_t low = -address;
    int32_t high = S2C_ARENA - address;
    s2c_keep_inside(&chip->halves, &low, &high);
    if (low <= 0 && high >= front->width) {
        for (int32_t i = 0; i < S2C_LANES; i++) {
            x[i] = (int8_t)chip->arena[address + (i & (front->width - 1))];
        }
        return;
    }
    for (int32_t i = 0; i < S2C_LANES; i++) {
        const int32_t byte = i & (front->width - 1);
        const int32_t is_real = byte >= low && byte < high;
        x[i] = (int8_t)(is_real ? chip->arena[address + byte] : front->value);
    }
}

/* It has the arena to itself until it is done. */
S2C_INLINE void s2c_run_softmax(s2c_chip *chip)
{
#ifdef S2C_SOFTMAX_CYCLES
    const s2c_front *const front = chip->halves.front;
    softmax_i8((int8_t *)chip->arena + front->output, (const int8_t *)chip->arena + front->address,
               chip->halves.roms->powers + (int64_t)front->words * 256, front->count, front->size);
    chip->halves.idle = front->count * S2C_SOFTMAX_CYCLES(front->size) - 1;
#endif
    chip->halves.has_ended = 1;
}

/* One cycle; 0 in the last. An instruction is fetched in the cycle behind the last of the one before. */
S2C_INLINE int32_t s2c_clock_front(s2c_chip *chip)
{
    s2c_halves *const halves = &chip->halves;
    if (halves->idle > 0) {
        halves->idle--;
        return 1;
    }
    if (halves->has_ended) {
        s2c_load(halves, halves->front + 1);
        return 1;
    }
    if (halves->front->unit == S2C_END) {
        return 0;
    }
    if (halves->front->unit == S2C_SOFTMAX) {
        s2c_run_softmax(chip);
        return 1;
    }
    int8_t x[S2C_LANES];
    s2c_read(chip, x);
    s2c_step(halves, x, S2C_LANES, S2C_RESULTS);
    return 1;
}

/* The fields of the next call, whose first tile is in the drain register. */
S2C_INLINE void s2c_switch(s2c_chip *chip)
{
    chip->halves.back = chip->next_back++;
    s2c_begin_call(&chip->halves);
    s2c_begin_writes(&chip->halves);
    chip->output = chip->halves.back->output;
}

S2C_INLINE void s2c_write(s2c_chip *chip, const s2c_beat *beat)
{
    unsigned char bytes[S2C_RESULTS];
    const int32_t count = s2c_give(&chip->halves, beat, bytes, S2C_RESULTS);
    for (int32_t i = 0; i < count; i++) {
        if (chip->output + i < S2C_ARENA) {
            chip->arena[chip->output + i] = bytes[i];
        }
    }
    chip->output += count;
    if (s2c_end_writes(&chip->halves, count)) {
        chip->output += chip->halves.back->skip;
    }
}

S2C_INLINE void s2c_clock_back(s2c_chip *chip)
{
    s2c_halves *const halves = &chip->halves;
    s2c_beat *const beat = &halves->beats[halves->cycle % S2C_BEATS];
    if (s2c_is_due(halves)) {
        if (halves->tiles_left == 0) {
            s2c_switch(chip);
        }
        s2c_accept(halves);
    }
    if (halves->drain != 0) {
        s2c_drain(halves, S2C_RESULTS);
    }
    if (beat->is_there) {
        beat->is_there = 0;
        s2c_write(chip, beat);
    }
}

/* Runs a program: the cycle in which the chip says that it is done. */
S2C_INLINE int32_t s2c_run_chip(void *arena, const s2c_roms *roms, const s2c_front *fronts,
                                const s2c_back *backs)
{
    s2c_chip chip;
    s2c_reset_halves(&chip.halves, roms);
    chip.arena = arena;
    chip.halves.cycle = 1; /* it was started in cycle 0, and fetches in this one */
    s2c_load(&chip.halves, fronts);
    chip.halves.back = backs;
    chip.next_back = backs;
    chip.output = 0;
    do {
        s2c_clock_back(&chip);
        chip.halves.cycle++;
    } while (s2c_clock_front(&chip));
    return chip.halves.cycle;
}
