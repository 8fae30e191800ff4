// Products of bfloat16 pairs, added up in float32: the inner loops of convolve.c.
//
// A lane adds up the products of two values at a time, as the dot product of bfloat16 pairs does on
// processors that have it. Loops over capital names have constant counts: they are unrolled, and their sums
// stay in registers. PORTABLE, for tests, leaves the instructions of some processors out.

#include "bfloat16.h"

#if defined(__AVX512BF16__) && defined(__AVX512VL__) && !defined(PORTABLE)
#include <immintrin.h>
#define HAS_PAIRS
#endif

#define LANES 8
#define UNIT 4 // channels that are read at a time, and outputs of a vector
#define MOST_VECTORS 3
#define MOST_COUNT 8 // results of a tile
#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float floats __attribute__((vector_size(32), aligned(4)));
typedef uint32_t words __attribute__((vector_size(32), aligned(4)));

// Adds to each lane the products of two pairs; a word is a pair, its lower half the first.
ALWAYS floats add_products(floats sum, words a, words b)
{
#ifdef HAS_PAIRS
    return (floats)_mm256_dpbf16_ps((__m256)sum, (__m256bh)a, (__m256bh)b);
#else
    sum += (floats)(a << 16) * (floats)(b << 16);
    return sum + (floats)(a & 0xffff0000u) * (floats)(b & 0xffff0000u);
#endif
}

ALWAYS void store(uint16_t *to, floats sum, int count)
{
    uint16_t rounded[LANES];
#ifdef HAS_PAIRS
    const __m128bh narrow = _mm256_cvtneps_pbh((__m256)sum);
    memcpy(rounded, &narrow, sizeof rounded);
#else
    for (int lane = 0; lane < LANES; lane++) {
        rounded[lane] = to_bf16(sum[lane]);
    }
#endif
    if (count >= LANES) {
        memcpy(to, rounded, sizeof rounded);
    } else {
        memcpy(to, rounded, sizeof *rounded * (size_t)count);
    }
}

ALWAYS words load(const uint32_t *from)
{
    return *(const words *)from;
}

// A pair in all lanes.
ALWAYS words repeat(const void *from)
{
    uint32_t pair;
    memcpy(&pair, from, sizeof pair);
    return (words){pair, pair, pair, pair, pair, pair, pair, pair};
}

// Two pairs by turns.
ALWAYS words repeat_two(const void *from)
{
    uint32_t pairs[2];
    memcpy(pairs, from, sizeof pairs);
    return (words){pairs[0], pairs[1], pairs[0], pairs[1], pairs[0], pairs[1], pairs[0], pairs[1]};
}

// Sums of the neighbouring lanes of a, then of b.
ALWAYS floats add_neighbours(floats a, floats b)
{
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static int round_up(int value, int unit)
{
    return (value + unit - 1) / unit * unit;
}

// offset: of the values that it reads, from those of the first result. index: of its weights.
struct tap {
    int64_t offset;
    int index;
};

// What is read: `quads` of values for each tap. Steps from a result to the next, in values: of what is read,
// of what is written.
struct grid {
    int rows, columns, outputs, quads, taps;
    int64_t from_row, from_column, to_row, to_column;
};

// COUNT results of a row, for VECTORS vectors. A vector has four outputs in two lanes each: one for the first
// pair of each four values that are read, one for the second. STEP quads are read at a time.
ALWAYS void tile(const int VECTORS, const int COUNT, const int STEP, const struct grid *grid,
                 const struct tap *taps, const uint32_t *weights, const floats *offset, const uint16_t *from,
                 uint16_t *to, int outputs)
{
    const int64_t step = grid->from_column;
    floats sums[MOST_COUNT][MOST_VECTORS];
    UNROLL
    for (int k = 0; k < COUNT; k++) {
        UNROLL
        for (int v = 0; v < MOST_VECTORS; v++) {
            sums[k][v] = (floats){0};
        }
    }
    for (int t = 0; t < grid->taps; t++) {
        const uint32_t *weight = weights + (int64_t)taps[t].index * grid->quads * VECTORS * LANES;
        const uint16_t *at = from + taps[t].offset;
        for (int quad = 0; quad < grid->quads; quad += STEP) {
            UNROLL
            for (int q = 0; q < STEP; q++) {
                words factor[MOST_VECTORS];
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    factor[v] = load(weight + v * LANES);
                }
                weight += VECTORS * LANES;
                UNROLL
                for (int k = 0; k < COUNT; k++) {
                    const words value = repeat_two(at + k * step + q * UNIT);
                    UNROLL
                    for (int v = 0; v < VECTORS; v++) {
                        sums[k][v] = add_products(sums[k][v], value, factor[v]);
                    }
                }
            }
            at += STEP * UNIT;
        }
    }
    UNROLL
    for (int k = 0; k < COUNT; k++) {
        uint16_t *const place = to + k * grid->to_column;
        store(place, add_neighbours(sums[k][0], sums[k][1]) + offset[0], outputs);
        if (VECTORS > 2) {
            store(place + LANES, add_neighbours(sums[k][2], sums[k][2]) + offset[1], outputs - LANES);
        }
    }
}

// Where a row's end is no whole tile, the last one begins earlier, and some results are computed twice.
ALWAYS void tiles(const int VECTORS, const int COUNT, const struct grid *grid, const struct tap *taps,
                  const uint32_t *weights, const floats *offset, const uint16_t *from, uint16_t *to,
                  int outputs)
{
    for (int row = 0; row < grid->rows; row++) {
        for (int column = 0; column < grid->columns; column += COUNT) {
            const int start = least(column, grid->columns - COUNT);
            const uint16_t *const here = from + row * grid->from_row + start * grid->from_column;
            uint16_t *const there = to + row * grid->to_row + start * grid->to_column;
            if (grid->quads % 2 == 0) {
                tile(VECTORS, COUNT, 2, grid, taps, weights, offset, here, there, outputs);
            } else {
                tile(VECTORS, COUNT, 1, grid, taps, weights, offset, here, there, outputs);
            }
        }
    }
}

ALWAYS void any_tiles(const int VECTORS, const struct grid *grid, const struct tap *taps,
                      const uint32_t *weights, const floats *offset, const uint16_t *from, uint16_t *to,
                      int outputs)
{
    if (grid->columns >= MOST_COUNT) {
        tiles(VECTORS, MOST_COUNT, grid, taps, weights, offset, from, to, outputs);
    } else if (grid->columns >= 4) {
        tiles(VECTORS, 4, grid, taps, weights, offset, from, to, outputs);
    } else {
        tiles(VECTORS, 1, grid, taps, weights, offset, from, to, outputs);
    }
}

// The same results with longer rows, where that can be had: tiles lie within a row.
static struct grid with_long_rows(struct grid grid)
{
    if (grid.from_row == grid.columns * grid.from_column && grid.to_row == grid.columns * grid.to_column) {
        grid.columns *= grid.rows;
        grid.rows = 1;
    } else if (grid.columns < MOST_COUNT && grid.columns < grid.rows) {
        const struct grid old = grid;
        grid.rows = old.columns;
        grid.columns = old.rows;
        grid.from_row = old.from_column;
        grid.from_column = old.from_row;
        grid.to_row = old.to_column;
        grid.to_column = old.to_row;
    }
    return grid;
}

// How many vectors are computed side by side where so many outputs are left.
static int next_vectors(int outputs)
{
    const int left = (outputs + UNIT - 1) / UNIT;
    return left == 4 ? 2 : least(left, MOST_VECTORS);
}

// All results of one image. weights: as `pack` leaves them. bias: [outputs] or NULL.
static void convolve(const struct grid *grid, const struct tap *taps, int all_taps, const uint32_t *weights,
                     const float *bias, const uint16_t *from, uint16_t *to)
{
    const struct grid long_grid = with_long_rows(*grid);
    for (int done = 0, vectors; done < grid->outputs; done += vectors * UNIT) {
        const int left = grid->outputs - done;
        vectors = next_vectors(left);
        float values[2 * LANES] = {0};
        if (bias) {
            memcpy(values, bias + done, sizeof *bias * (size_t)least(vectors * UNIT, left));
        }
        floats offset[2];
        memcpy(offset, values, sizeof offset);
        const int outputs = least(vectors * UNIT, left);
        if (vectors == 3) {
            any_tiles(3, &long_grid, taps, weights, offset, from, to + done, outputs);
        } else if (vectors == 2) {
            any_tiles(2, &long_grid, taps, weights, offset, from, to + done, outputs);
        } else {
            any_tiles(1, &long_grid, taps, weights, offset, from, to + done, outputs);
        }
        weights += (int64_t)all_taps * grid->quads * vectors * LANES;
    }
}

// Pairs of neighbours in rows of results. Steps in words: of the input from a row and from a pair to the
// next, of the slopes from a pair to the next.
struct rows {
    int count, pairs;
    int64_t x_row, x_pair, slope_pair;
};

// Adds up what one image says, for VECTORS vectors of neighbouring values of a row and so many OUTPUTS, which
// are to_output apart.
ALWAYS void weight_tile(const int OUTPUTS, const int VECTORS, const struct rows *rows, const uint32_t *x,
                        const uint32_t *slope, float *to, int64_t to_output)
{
    floats sums[LANES][MOST_VECTORS];
    UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++) {
            sums[o][v] = *(const floats *)(to + o * to_output + v * LANES);
        }
    }
    for (int row = 0; row < rows->count; row++) {
        const uint32_t *at = x + row * rows->x_row;
        for (int pair = 0; pair < rows->pairs; pair++, at += rows->x_pair, slope += rows->slope_pair) {
            words values[MOST_VECTORS];
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                values[v] = load(at + v * LANES);
            }
            UNROLL
            for (int o = 0; o < OUTPUTS; o++) {
                const words factor = repeat(slope + o);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    sums[o][v] = add_products(sums[o][v], values[v], factor);
                }
            }
        }
    }
    UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        UNROLL
        for (int v = 0; v < VECTORS; v++) {
            *(floats *)(to + o * to_output + v * LANES) = sums[o][v];
        }
    }
}

ALWAYS void weight_tiles(const int OUTPUTS, const struct rows *rows, int count, const uint32_t *x,
                         const uint32_t *slope, float *to, int64_t to_output)
{
    for (int vectors; count > 0; count -= vectors, x += vectors * LANES, to += vectors * LANES) {
        vectors = least(count, MOST_VECTORS);
        if (vectors == 3) {
            weight_tile(OUTPUTS, 3, rows, x, slope, to, to_output);
        } else if (vectors == 2) {
            weight_tile(OUTPUTS, 2, rows, x, slope, to, to_output);
        } else {
            weight_tile(OUTPUTS, 1, rows, x, slope, to, to_output);
        }
    }
}

// What one image says to `count` vectors of neighbours, for all outputs: a multiple of UNIT.
static void all_weight_tiles(const struct rows *rows, int count, const uint32_t *x, const uint32_t *slopes,
                             int outputs, float *to, int64_t to_output)
{
    const int whole = outputs / LANES * LANES;
    for (int o = 0; o < whole; o += LANES) {
        weight_tiles(LANES, rows, count, x, slopes + o, to + o * to_output, to_output);
    }
    if (whole < outputs) {
        weight_tiles(UNIT, rows, count, x, slopes + whole, to + whole * to_output, to_output);
    }
}
