/* The chip of kernels/verilog/README.md in C, clock by clock: the same reads, writes and results in the same cycles.
   A net's file has its program and ROMs below, and above it S2C_LANES, S2C_RESULTS (that come at once), S2C_LOOPS (that
   an instruction may have), S2C_ARENA (bytes), S2C_UNIFORM (multiplier and shift stand in the instructions),
   S2C_ENTRY (the type of a table's entries) and, where it has a softmax, S2C_SOFTMAX_CYCLES (of a row).

   What a step reads and what its tile adds up to is computed when the step is issued, since nothing that happens until
   it is drained can change it; it is seen in the cycle of the README. Results are requantized in the cycle in which
   their bytes stand at the write port, with the back half's fields of that cycle: so an instruction that starts too early
   gives wrong bytes here, too. Bytes beyond the arena belong to no result: reading them gives padding, writing nothing.
   Constant: the tables' entries are the only addresses that depend on data. */
#include "../../kernels/c/lib/base.h"

enum { S2C_MULTIPLY, S2C_MOST, S2C_TABLE, S2C_SOFTMAX, S2C_END };
enum { S2C_HOLD, S2C_BEAT, S2C_ROW };
enum { S2C_NONE, S2C_TWICE, S2C_ONCE };
/* Cycles from the step that ends a tile to its place in the drain register, and from there to the write port. */
enum { S2C_DRAINED = 6, S2C_REQUANTIZED = 10 };
enum { S2C_TILES = 16, S2C_BEATS = 16 }; /* places for those under way: a tile's is free once it is drained */

typedef struct {
    int32_t count, address, line, offset;
} s2c_loop;

/* As in s2c/silicon/instructions.py; width: bytes that a step needs, a power of two. S2C_END has nothing but its wait. */
typedef struct {
    int32_t unit, wait, gap, address, line, offset, width, padded, lines, row, value, ones, words, output,
        count, size;
    int32_t tile_loops, row_loops, loops;
    s2c_loop loop[S2C_LOOPS];
} s2c_front;

typedef struct {
    int32_t take, merge, columns, tiles, rows, beats, output, skip, params, step, rounding, zero, lo, hi;
    int32_t multiplier, shift;
} s2c_back;

typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    const S2C_ENTRY *tables;
    const int32_t *powers;
} s2c_roms;

/* A tile on its way to the drain register, and the results of a beat on theirs to the write port. */
typedef struct {
    int64_t sums[S2C_LANES];
    int32_t is_there;
} s2c_tile;

typedef struct {
    int64_t results[S2C_RESULTS];
    int32_t word;
    int32_t is_there;
} s2c_beat;

typedef struct {
    unsigned char *arena;
    const s2c_roms *roms;
    int32_t cycle;

    const s2c_front *front;
    int32_t fetches, idle, is_first;
    int32_t at[S2C_LOOPS];
    int32_t address, line, offset, word, table;
    int32_t lanes[S2C_LANES];
    int64_t entries[S2C_RESULTS];

    const s2c_back *back, *next_back;
    int32_t tiles_left;
    s2c_tile tiles[S2C_TILES];
    const s2c_tile *drain;
    int32_t drained, drained_beats, drained_tiles, word_drained;
    int64_t result;

    s2c_beat beats[S2C_BEATS];
    int32_t output, left, written_beats, written_tiles;
} s2c_chip;

/* The front half. */

/* The bytes of the step's lanes: each takes one of the first `width`. */
S2C_INLINE void s2c_read(const s2c_chip *chip, int8_t *x)
{
    const s2c_front *const front = chip->front;
    int32_t low = -chip->address;
    int32_t high = S2C_ARENA - chip->address;
    if (front->padded) {
        const int32_t is_inside = chip->line >= 0 && chip->line < front->lines;
        low = low > -chip->offset ? low : -chip->offset;
        high = high < front->row - chip->offset ? high : front->row - chip->offset;
        high = is_inside ? high : 0;
    }
    if (low <= 0 && high >= front->width) {
        for (int32_t i = 0; i < S2C_LANES; i++) {
            x[i] = (int8_t)chip->arena[chip->address + (i & (front->width - 1))];
        }
        return;
    }
    for (int32_t i = 0; i < S2C_LANES; i++) {
        const int32_t byte = i & (front->width - 1);
        const int32_t is_real = byte >= low && byte < high;
        x[i] = (int8_t)(is_real ? chip->arena[chip->address + byte] : front->value);
    }
}

S2C_INLINE void s2c_multiply(s2c_chip *chip, const int8_t *x)
{
    const int8_t *const w = chip->roms->weights + (int64_t)chip->word * S2C_LANES;
    for (int32_t i = 0; i < S2C_LANES; i++) {
        const int32_t product = chip->front->ones ? x[i] : x[i] * w[i];
        chip->lanes[i] = (chip->is_first ? 0 : chip->lanes[i]) + product;
    }
}

S2C_INLINE void s2c_keep_most(s2c_chip *chip, const int8_t *x)
{
    for (int32_t i = 0; i < S2C_LANES; i++) {
        const int32_t most = chip->is_first ? INT8_MIN : chip->lanes[i];
        chip->lanes[i] = x[i] > most ? x[i] : most;
    }
}

S2C_INLINE void s2c_look_up(s2c_chip *chip, const int8_t *x)
{
    const S2C_ENTRY *const table = chip->roms->tables + (int64_t)(chip->front->words + chip->table) * 256;
    for (int32_t i = 0; i < S2C_RESULTS; i++) {
        chip->entries[i] = (chip->is_first ? 0 : chip->entries[i]) + table[x[i] + 128];
    }
}

/* The tile that a step has ended, on its way. */
S2C_INLINE void s2c_send(s2c_chip *chip)
{
    s2c_tile *const tile = &chip->tiles[(chip->cycle + S2C_DRAINED) % S2C_TILES];
    tile->is_there = 1;
    if (chip->front->unit == S2C_TABLE) {
        for (int32_t i = 0; i < S2C_RESULTS; i++) {
            tile->sums[i] = chip->entries[i];
        }
    } else {
        for (int32_t i = 0; i < S2C_LANES; i++) {
            tile->sums[i] = chip->lanes[i];
        }
    }
}

S2C_INLINE void s2c_fetch(s2c_chip *chip, const s2c_front *front)
{
    chip->front = front;
    chip->fetches = 0;
    chip->idle = front->wait;
    chip->is_first = 1;
    chip->address = front->address;
    chip->line = front->line;
    chip->offset = front->offset;
    chip->word = front->words;
    chip->table = 0;
    for (int32_t i = 0; i < front->loops; i++) {
        chip->at[i] = 0;
    }
}

/* The innermost loop that is not at its end advances; with none, the next cycle fetches. */
S2C_INLINE void s2c_advance(s2c_chip *chip)
{
    const s2c_front *const front = chip->front;
    int32_t level = 0;
    while (level < front->loops && chip->at[level] == front->loop[level].count - 1) {
        chip->at[level] = 0;
        level++;
    }
    const int32_t is_last = level >= front->tile_loops;
    if (is_last) {
        s2c_send(chip);
    }
    if (level == front->loops) {
        chip->fetches = 1;
        return;
    }
    const s2c_loop *const loop = &front->loop[level];
    chip->at[level]++;
    chip->address += loop->address;
    chip->line += loop->line;
    chip->offset += loop->offset;
    chip->word = level >= front->row_loops ? front->words : chip->word + 1;
    chip->table = is_last ? 0 : chip->table + 1;
    chip->idle = is_last ? front->gap : 0;
    chip->is_first = is_last;
}

/* It has the arena to itself until it is done. */
S2C_INLINE void s2c_run_softmax(s2c_chip *chip)
{
#ifdef S2C_SOFTMAX_CYCLES
    const s2c_front *const front = chip->front;
    softmax_i8((int8_t *)chip->arena + front->output, (const int8_t *)chip->arena + front->address,
               chip->roms->powers + (int64_t)front->words * 256, front->count, front->size);
    chip->idle = front->count * S2C_SOFTMAX_CYCLES(front->size) - 1;
#endif
    chip->fetches = 1;
}

/* One cycle; 0 in the last. */
S2C_INLINE int32_t s2c_clock_front(s2c_chip *chip)
{
    if (chip->idle > 0) {
        chip->idle--;
        return 1;
    }
    if (chip->fetches) {
        s2c_fetch(chip, chip->front + 1);
        return 1;
    }
    if (chip->front->unit == S2C_END) {
        return 0;
    }
    if (chip->front->unit == S2C_SOFTMAX) {
        s2c_run_softmax(chip);
        return 1;
    }
    int8_t x[S2C_LANES];
    s2c_read(chip, x);
    if (chip->front->unit == S2C_MULTIPLY) {
        s2c_multiply(chip, x);
    } else if (chip->front->unit == S2C_MOST) {
        s2c_keep_most(chip, x);
    } else {
        s2c_look_up(chip, x);
    }
    s2c_advance(chip);
    return 1;
}

/* The back half. */

/* The fields of the next call, whose first tile is in the drain register. */
S2C_INLINE void s2c_switch(s2c_chip *chip)
{
    chip->back = chip->next_back++;
    chip->tiles_left = chip->back->tiles * chip->back->rows;
    chip->drained_tiles = 0;
    chip->word_drained = chip->back->params;
    chip->output = chip->back->output;
    chip->left = chip->back->columns;
    chip->written_beats = 0;
    chip->written_tiles = 0;
}

/* The word of parameters moves on: behind a beat, and behind a row. */
S2C_INLINE void s2c_end_beat(s2c_chip *chip)
{
    const s2c_back *const back = chip->back;
    chip->word_drained += back->step == S2C_BEAT;
    chip->drained_beats++;
    if (chip->drained_beats < back->beats) {
        return;
    }
    chip->drain = 0;
    chip->drained_tiles++;
    if (chip->drained_tiles == back->tiles) {
        chip->drained_tiles = 0;
        chip->word_drained += back->step == S2C_ROW;
        chip->word_drained = back->step == S2C_BEAT ? back->params : chip->word_drained;
    }
}

/* What leaves the drain register in this cycle: several results, or a part of one. */
S2C_INLINE void s2c_drain(s2c_chip *chip)
{
    const s2c_back *const back = chip->back;
    const int64_t *const sums = chip->drain->sums + (int64_t)chip->drained * S2C_RESULTS;
    s2c_beat *const beat = &chip->beats[(chip->cycle + S2C_REQUANTIZED) % S2C_BEATS];
    const int32_t shared = 1 << back->merge;
    if (shared <= S2C_RESULTS) {
        for (int32_t i = 0; i < back->take; i++) {
            int64_t result = 0;
            for (int32_t j = 0; j < shared; j++) {
                result += sums[i * shared + j];
            }
            beat->results[i] = result;
        }
    } else {
        for (int32_t i = 0; i < S2C_RESULTS; i++) {
            chip->result += sums[i];
        }
        beat->results[0] = chip->result;
    }
    chip->drained++;
    if (chip->drained * S2C_RESULTS % shared == 0 || shared <= S2C_RESULTS) {
        beat->is_there = 1;
        beat->word = chip->word_drained;
        chip->result = 0;
        s2c_end_beat(chip);
    }
}

S2C_INLINE int32_t s2c_clamp(const s2c_back *back, int64_t value)
{
    const int64_t low = value < back->lo ? back->lo : value;
    return (int32_t)(low > back->hi ? back->hi : low);
}

/* The stages between t + 9 and t + 16 of the README. place: of bias, multiplier and shift in their ROMs. */
S2C_INLINE int32_t s2c_requantize(const s2c_chip *chip, int64_t result, int32_t place)
{
    const s2c_back *const back = chip->back;
    if (back->rounding == S2C_NONE) {
        return s2c_clamp(back, result);
    }
    const int32_t multiplier = S2C_UNIFORM ? back->multiplier : chip->roms->multiplier[place];
    const int32_t shift = S2C_UNIFORM ? back->shift : chip->roms->shift[place];
    const int32_t right = shift < 0 ? -shift : 0;
    const int64_t sum = result + chip->roms->bias[place];
    const int64_t shifted = sum * (INT64_C(1) << (shift > 0 ? shift : 0));
    const int64_t low = shifted * (multiplier & 0xFFFF);
    const int64_t high = shifted * (multiplier >> 16);
    const int64_t thirty = (high + (low >> 16)) >> 14;
    if (back->rounding == S2C_ONCE) {
        return s2c_clamp(back, ((thirty + (INT64_C(1) << right)) >> (right + 1)) + back->zero);
    }
    const int64_t once = (thirty + 1) >> 1;
    const int64_t half = right > 0 ? (INT64_C(1) << (right - 1)) - (once < 0) : 0;
    return s2c_clamp(back, ((once + half) >> right) + back->zero);
}

S2C_INLINE void s2c_write(s2c_chip *chip, const s2c_beat *beat)
{
    const s2c_back *const back = chip->back;
    const int32_t count = back->take < chip->left ? back->take : chip->left;
    for (int32_t i = 0; i < count; i++) {
        const int32_t byte = s2c_requantize(chip, beat->results[i], beat->word * S2C_RESULTS + i);
        if (chip->output + i < S2C_ARENA) {
            chip->arena[chip->output + i] = (unsigned char)byte;
        }
    }
    chip->output += count;
    chip->left -= count;
    chip->written_beats++;
    if (chip->written_beats == back->beats) {
        chip->written_beats = 0;
        chip->written_tiles++;
        chip->left = chip->left == 0 ? back->columns : chip->left;
    }
    if (chip->written_tiles == back->tiles) {
        chip->written_tiles = 0;
        chip->output += back->skip;
    }
}

S2C_INLINE void s2c_clock_back(s2c_chip *chip)
{
    s2c_tile *const tile = &chip->tiles[chip->cycle % S2C_TILES];
    s2c_beat *const beat = &chip->beats[chip->cycle % S2C_BEATS];
    if (tile->is_there) {
        if (chip->tiles_left == 0) {
            s2c_switch(chip);
        }
        chip->tiles_left--;
        tile->is_there = 0;
        chip->drain = tile;
        chip->drained = 0;
        chip->drained_beats = 0;
        chip->result = 0;
    }
    if (chip->drain != 0) {
        s2c_drain(chip);
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
    chip.arena = arena;
    chip.roms = roms;
    chip.cycle = 1; /* it was started in cycle 0, and fetches in this one */
    s2c_fetch(&chip, fronts);
    chip.back = backs;
    chip.next_back = backs;
    chip.tiles_left = 0;
    chip.drain = 0;
    for (int32_t i = 0; i < S2C_TILES; i++) {
        chip.tiles[i].is_there = 0;
    }
    for (int32_t i = 0; i < S2C_BEATS; i++) {
        chip.beats[i].is_there = 0;
    }
    do {
        s2c_clock_back(&chip);
        chip.cycle++;
    } while (s2c_clock_front(&chip));
    return chip.cycle;
}
