/* output[o, i] = the sum of input[o, j, i] over j, sixteen partial sums at a time on vectors of any width: columns, or
   where there is but one column every sixteenth value of it, folded halves on halves.
   Runs of S2C_RUN values are summed as they come, then the runs, of which each addition's rounding error is kept (D. E.
   Knuth, The Art of Computer Programming 2, 4.2.2, theorem B) and added at the end.
   needs: vector
   Constant: the loops run over extents. */
#include "lib/lanes_f32.h"

#define S2C_RUN_ROWS 32

/* x and its rounding error, where it is a number: beside an infinite sum it is not. */
S2C_INLINE s2c_floats s2c_mended(s2c_floats x, s2c_floats lost)
{
    return s2c_choose_floats(lost == lost, x + lost, x);
}

/* Of size rows, `stride` apart, of count, a literal of at most 16, neighbours. */
S2C_INLINE s2c_wide s2c_sums_wide(const float *input, int32_t size, int32_t stride, int32_t count)
{
    s2c_wide total = s2c_all_wide(0.0F);
    s2c_wide lost = s2c_all_wide(0.0F);
    for (int32_t first = 0; first < size; first += S2C_RUN_ROWS) {
        const int32_t end = size - first < S2C_RUN_ROWS ? size : first + S2C_RUN_ROWS;
        s2c_wide run = s2c_all_wide(0.0F);
        for (int32_t j = first; j < end; j++) {
            const s2c_wide next = s2c_load_wide(input + j * stride, count, 0.0F);
            S2C_UNROLL
            for (int32_t v = 0; v < S2C_PARTS; v++) {
                run.part[v] = run.part[v] + next.part[v];
            }
        }
        S2C_UNROLL
        for (int32_t v = 0; v < S2C_PARTS; v++) {
            const s2c_floats before = total.part[v];
            const s2c_floats now = before + run.part[v];
            const s2c_floats added = now - before;
            lost.part[v] = lost.part[v] + ((before - (now - added)) + (run.part[v] - added));
            total.part[v] = now;
        }
    }
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        total.part[v] = s2c_mended(total.part[v], lost.part[v]);
    }
    return total;
}

S2C_INLINE float s2c_sum_of_row(const float *input, int32_t size)
{
    const int32_t rows = size / S2C_WIDE;
    s2c_wide sums = s2c_sums_wide(input, rows, S2C_WIDE, S2C_WIDE);
    if (rows * S2C_WIDE < size) {
        const s2c_wide rest = s2c_load_wide(input + rows * S2C_WIDE, size - rows * S2C_WIDE, 0.0F);
        S2C_UNROLL
        for (int32_t v = 0; v < S2C_PARTS; v++) {
            sums.part[v] = sums.part[v] + rest.part[v];
        }
    }
    return s2c_sum_wide(sums);
}

S2C_INLINE void fold_sum_f32_vector(float *restrict output, const float *restrict input, int32_t outer,
                                    int32_t size, int32_t inner)
{
    const int32_t whole = inner / S2C_WIDE * S2C_WIDE;
    for (int32_t o = 0; o < outer; o++) {
        const float *rows = input + o * size * inner;
        float *to = output + o * inner;
        if (inner == 1) {
            to[0] = s2c_sum_of_row(rows, size);
            continue;
        }
        for (int32_t i = 0; i < whole; i += S2C_WIDE) {
            s2c_store_wide(to + i, s2c_sums_wide(rows + i, size, inner, S2C_WIDE), S2C_WIDE);
        }
        if (whole < inner) {
            s2c_store_wide(to + whole, s2c_sums_wide(rows + whole, size, inner, inner - whole),
                           inner - whole);
        }
    }
}
