/* The two halves of a chip's datapath, kernels/verilog/README.md, in C: what model.c and stream.c share. Above it a net's file
   has S2C_LANES and S2C_RESULTS (that come at once), both of the datapath with the most, S2C_LOOPS (that an instruction
   may have) and S2C_ENTRY (the type of a table's entries). lanes, results: of a datapath; literals, wherever these
   functions are called, so that loops over them have a fixed length.

   What a step reads and what its tile adds up to is computed when the step is issued, since nothing that happens until
   it is drained can change it; it is seen in the cycle of the README. Results are requantized in the cycle in which
   their bytes stand at the write port, with the back half's fields of that cycle.
   Constant: the tables' entries are the only addresses that depend on data. */
#include "../../kernels/c/lib/base.h"

enum { S2C_MULTIPLY, S2C_MOST, S2C_TABLE, S2C_SOFTMAX, S2C_END };
enum { S2C_HOLD, S2C_BEAT, S2C_ROW };
enum { S2C_NONE, S2C_TWICE, S2C_ONCE };
/* Cycles from the step that ends a tile to its place in the drain register, and from there to the write port. */
enum { S2C_DRAINED = 6, S2C_REQUANTIZED = 10 };
enum { S2C_TILES = 8, S2C_BEATS = 16 }; /* places for those under way; of tiles one more, which is drained */

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

/* multiplier, shift: 0 where they stand in the instructions. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    const S2C_ENTRY *tables;
    const int32_t *powers;
} s2c_roms;

/* A tile on its way to the drain register, which it reaches in cycle `due`, and the results of a beat on theirs to the
   write port. */
typedef struct {
    int64_t sums[S2C_LANES];
    int32_t due;
} s2c_tile;

typedef struct {
    int64_t results[S2C_RESULTS];
    int32_t word;
    int32_t is_there;
} s2c_beat;

typedef struct {
    const s2c_roms *roms;
    int32_t cycle;

    const s2c_front *front;
    int32_t has_ended, idle, is_first;
    int32_t at[S2C_LOOPS];
    int32_t address, line, offset, word, table;
    int32_t lanes[S2C_LANES];
    int64_t entries[S2C_RESULTS];

    const s2c_back *back;
    int32_t tiles_left;
    uint32_t tiles_sent, tiles_accepted;
    s2c_tile tiles[S2C_TILES];
    const s2c_tile *drain;
    int32_t drained, drained_beats, drained_tiles, word_drained;
    int64_t result;

    s2c_beat beats[S2C_BEATS];
    int32_t left, written_beats, written_tiles;
} s2c_halves;

S2C_INLINE void s2c_reset_halves(s2c_halves *halves, const s2c_roms *roms)
{
    halves->roms = roms;
    halves->cycle = 0;
    halves->tiles_left = 0;
    halves->tiles_sent = 0;
    halves->tiles_accepted = 0;
    halves->drain = 0;
    for (int32_t i = 0; i < S2C_BEATS; i++) {
        halves->beats[i].is_there = 0;
    }
}

/* The front half. */

/* Of an instruction, before its first step. */
S2C_INLINE void s2c_load(s2c_halves *halves, const s2c_front *front)
{
    halves->front = front;
    halves->has_ended = 0;
    halves->idle = front->wait;
    halves->is_first = 1;
    halves->address = front->address;
    halves->line = front->line;
    halves->offset = front->offset;
    halves->word = front->words;
    halves->table = 0;
    for (int32_t i = 0; i < front->loops; i++) {
        halves->at[i] = 0;
    }
}

/* Narrows low and high down to those of a step's bytes that are no padding. */
S2C_INLINE void s2c_keep_inside(const s2c_halves *halves, int32_t *low, int32_t *high)
{
    const s2c_front *const front = halves->front;
    if (front->padded) {
        const int32_t is_inside = halves->line >= 0 && halves->line < front->lines;
        *low = *low > -halves->offset ? *low : -halves->offset;
        *high = *high < front->row - halves->offset ? *high : front->row - halves->offset;
        *high = is_inside ? *high : 0;
    }
}

S2C_INLINE void s2c_multiply(s2c_halves *halves, const int8_t *x, int32_t lanes)
{
    const int8_t *const w = halves->roms->weights + (int64_t)halves->word * lanes;
    for (int32_t i = 0; i < lanes; i++) {
        const int32_t product = halves->front->ones ? x[i] : x[i] * w[i];
        halves->lanes[i] = (halves->is_first ? 0 : halves->lanes[i]) + product;
    }
}

S2C_INLINE void s2c_keep_most(s2c_halves *halves, const int8_t *x, int32_t lanes)
{
    for (int32_t i = 0; i < lanes; i++) {
        const int32_t most = halves->is_first ? INT8_MIN : halves->lanes[i];
        halves->lanes[i] = x[i] > most ? x[i] : most;
    }
}

S2C_INLINE void s2c_look_up(s2c_halves *halves, const int8_t *x, int32_t results)
{
    const S2C_ENTRY *const table =
        halves->roms->tables + (int64_t)(halves->front->words + halves->table) * 256;
    for (int32_t i = 0; i < results; i++) {
        halves->entries[i] = (halves->is_first ? 0 : halves->entries[i]) + table[x[i] + 128];
    }
}

/* The tile that a step has ended, on its way. Places go round by tiles, not by cycles: one may be drained for longer than
   the next is on its way. */
S2C_INLINE void s2c_send(s2c_halves *halves, int32_t lanes, int32_t results)
{
    s2c_tile *const tile = &halves->tiles[halves->tiles_sent++ % S2C_TILES];
    tile->due = halves->cycle + S2C_DRAINED;
    if (halves->front->unit == S2C_TABLE) {
        for (int32_t i = 0; i < results; i++) {
            tile->sums[i] = halves->entries[i];
        }
    } else {
        for (int32_t i = 0; i < lanes; i++) {
            tile->sums[i] = halves->lanes[i];
        }
    }
}

/* The innermost loop that is not at its end advances; with none, the instruction has ended. */
S2C_INLINE void s2c_advance(s2c_halves *halves, int32_t lanes, int32_t results)
{
    const s2c_front *const front = halves->front;
    int32_t level = 0;
    while (level < front->loops && halves->at[level] == front->loop[level].count - 1) {
        halves->at[level] = 0;
        level++;
    }
    const int32_t is_last = level >= front->tile_loops;
    if (is_last) {
        s2c_send(halves, lanes, results);
    }
    if (level == front->loops) {
        halves->has_ended = 1;
        return;
    }
    const s2c_loop *const loop = &front->loop[level];
    halves->at[level]++;
    halves->address += loop->address;
    halves->line += loop->line;
    halves->offset += loop->offset;
    halves->word = level >= front->row_loops ? front->words : halves->word + 1;
    halves->table = is_last ? 0 : halves->table + 1;
    halves->idle = is_last ? front->gap : 0;
    halves->is_first = is_last;
}

/* A step on bytes that were read: one for each lane. */
S2C_INLINE void s2c_step(s2c_halves *halves, const int8_t *x, int32_t lanes, int32_t results)
{
    if (halves->front->unit == S2C_MULTIPLY) {
        s2c_multiply(halves, x, lanes);
    } else if (halves->front->unit == S2C_MOST) {
        s2c_keep_most(halves, x, lanes);
    } else {
        s2c_look_up(halves, x, results);
    }
    s2c_advance(halves, lanes, results);
}

/* The back half. */

/* The parameters and tiles of a call, whose first tile is in the drain register. */
S2C_INLINE void s2c_begin_call(s2c_halves *halves)
{
    halves->tiles_left = halves->back->tiles * halves->back->rows;
    halves->drained_tiles = 0;
    halves->word_drained = halves->back->params;
}

/* Before the first byte of a call is written. */
S2C_INLINE void s2c_begin_writes(s2c_halves *halves)
{
    halves->left = halves->back->columns;
    halves->written_beats = 0;
    halves->written_tiles = 0;
}

/* Whether a tile reaches the drain register in this cycle. */
S2C_INLINE int32_t s2c_is_due(const s2c_halves *halves)
{
    return halves->tiles_accepted != halves->tiles_sent &&
           halves->tiles[halves->tiles_accepted % S2C_TILES].due == halves->cycle;
}

S2C_INLINE void s2c_accept(s2c_halves *halves)
{
    halves->tiles_left--;
    halves->drain = &halves->tiles[halves->tiles_accepted++ % S2C_TILES];
    halves->drained = 0;
    halves->drained_beats = 0;
    halves->result = 0;
}

/* The word of parameters moves on: behind a beat, and behind a row. */
S2C_INLINE void s2c_end_beat(s2c_halves *halves)
{
    const s2c_back *const back = halves->back;
    halves->word_drained += back->step == S2C_BEAT;
    halves->drained_beats++;
    if (halves->drained_beats < back->beats) {
        return;
    }
    halves->drain = 0;
    halves->drained_tiles++;
    if (halves->drained_tiles == back->tiles) {
        halves->drained_tiles = 0;
        halves->word_drained += back->step == S2C_ROW;
        halves->word_drained = back->step == S2C_BEAT ? back->params : halves->word_drained;
    }
}

/* What leaves the drain register in this cycle: several results, or a part of one. */
S2C_INLINE void s2c_drain(s2c_halves *halves, int32_t results)
{
    const s2c_back *const back = halves->back;
    const int64_t *const sums = halves->drain->sums + (int64_t)halves->drained * results;
    s2c_beat *const beat = &halves->beats[(halves->cycle + S2C_REQUANTIZED) % S2C_BEATS];
    const int32_t shared = 1 << back->merge;
    if (shared <= results) {
        for (int32_t i = 0; i < back->take; i++) {
            int64_t result = 0;
            for (int32_t j = 0; j < shared; j++) {
                result += sums[i * shared + j];
            }
            beat->results[i] = result;
        }
    } else {
        for (int32_t i = 0; i < results; i++) {
            halves->result += sums[i];
        }
        beat->results[0] = halves->result;
    }
    halves->drained++;
    if (halves->drained * results % shared == 0 || shared <= results) {
        beat->is_there = 1;
        beat->word = halves->word_drained;
        halves->result = 0;
        s2c_end_beat(halves);
    }
}

S2C_INLINE int32_t s2c_clamp(const s2c_back *back, int64_t value)
{
    const int64_t low = value < back->lo ? back->lo : value;
    return (int32_t)(low > back->hi ? back->hi : low);
}

/* The stages between t + 9 and t + 16 of the README. place: of bias, multiplier and shift in their ROMs. */
S2C_INLINE int32_t s2c_requantize(const s2c_halves *halves, int64_t result, int32_t place)
{
    const s2c_back *const back = halves->back;
    const s2c_roms *const roms = halves->roms;
    if (back->rounding == S2C_NONE) {
        return s2c_clamp(back, result);
    }
    const int32_t multiplier = roms->multiplier == 0 ? back->multiplier : roms->multiplier[place];
    const int32_t shift = roms->shift == 0 ? back->shift : roms->shift[place];
    const int32_t right = shift < 0 ? -shift : 0;
    const int64_t sum = result + roms->bias[place];
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

/* The bytes of a beat, and how many. */
S2C_INLINE int32_t s2c_give(const s2c_halves *halves, const s2c_beat *beat, unsigned char *bytes,
                            int32_t results)
{
    const s2c_back *const back = halves->back;
    const int32_t count = back->take < halves->left ? back->take : halves->left;
    for (int32_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)s2c_requantize(halves, beat->results[i], beat->word * results + i);
    }
    return count;
}

/* Behind a beat that wrote so many bytes; whether it ended a row. */
S2C_INLINE int32_t s2c_end_writes(s2c_halves *halves, int32_t count)
{
    const s2c_back *const back = halves->back;
    halves->left -= count;
    halves->written_beats++;
    if (halves->written_beats == back->beats) {
        halves->written_beats = 0;
        halves->written_tiles++;
        halves->left = halves->left == 0 ? back->columns : halves->left;
    }
    if (halves->written_tiles < back->tiles) {
        return 0;
    }
    halves->written_tiles = 0;
    return 1;
}
