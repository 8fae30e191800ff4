/* Rows of an int8 contraction: output[r, n] = clamp(zero + scale(bias[n] + sum over k of x[r, k] * weight[n, k])).
   Two rows and two columns at a time share their loads. weight is packed by interleave_2: the values of two columns
   alternate; an odd last column stands plain behind them. Both results of a tile are read, with their addends,
   before either is written, so that the output may lie on the addend, and both rows may be the same one. */
#ifndef S2C_ROWS_I8_H
#define S2C_ROWS_I8_H
#include "addend.h"
#include "result_i8.h"

S2C_INLINE void s2c_two_rows(int8_t *output0, int8_t *output1, const int8_t *x0, const int8_t *x1,
                             const int8_t *addend0, const int8_t *addend1, const int8_t *weight,
                             int32_t first, int32_t columns, int32_t depth, s2c_result result,
                             s2c_addend addend)
{
    const int8_t *w = weight;
    int32_t n = 0;
    for (; n + 2 <= columns; n += 2) {
        int32_t s00 = result.bias[first + n];
        int32_t s01 = result.bias[first + n + 1];
        int32_t s10 = s00;
        int32_t s11 = s01;
        for (int32_t k = 0; k < depth; k++) {
            const int32_t a0 = x0[k];
            const int32_t a1 = x1[k];
            const int32_t b0 = w[0];
            const int32_t b1 = w[1];
            w += 2;
            s00 += a0 * b0;
            s01 += a0 * b1;
            s10 += a1 * b0;
            s11 += a1 * b1;
        }
        s00 = s2c_finish(s00, first + n, result);
        s01 = s2c_finish(s01, first + n + 1, result);
        s10 = s2c_finish(s10, first + n, result);
        s11 = s2c_finish(s11, first + n + 1, result);
        if (addend.present) {
            s00 = s2c_add(s00, addend0[n], addend);
            s01 = s2c_add(s01, addend0[n + 1], addend);
            s10 = s2c_add(s10, addend1[n], addend);
            s11 = s2c_add(s11, addend1[n + 1], addend);
        }
        output0[n] = (int8_t)s00;
        output0[n + 1] = (int8_t)s01;
        output1[n] = (int8_t)s10;
        output1[n + 1] = (int8_t)s11;
    }
    if (columns % 2 != 0) {
        int32_t s0 = result.bias[first + n];
        int32_t s1 = s0;
        for (int32_t k = 0; k < depth; k++) {
            const int32_t b = w[k];
            s0 += x0[k] * b;
            s1 += x1[k] * b;
        }
        s0 = s2c_finish(s0, first + n, result);
        s1 = s2c_finish(s1, first + n, result);
        if (addend.present) {
            s0 = s2c_add(s0, addend0[n], addend);
            s1 = s2c_add(s1, addend1[n], addend);
        }
        output0[n] = (int8_t)s0;
        output1[n] = (int8_t)s1;
    }
}

/* Rows r and r + distance of a matmul; addend_rows may be null where none is present. */
S2C_INLINE void s2c_row_pair(int8_t *output, const int8_t *input, const int8_t *addend_rows,
                             const int8_t *weight, int32_t r, int32_t distance, int32_t groups,
                             int32_t columns, int32_t depth, s2c_result result, s2c_addend addend)
{
    const int32_t width = groups * columns;
    const int32_t next = distance * groups * depth;
    for (int32_t g = 0; g < groups; g++) {
        const int32_t to = r * width + g * columns;
        const int8_t *x = input + (r * groups + g) * depth;
        const int8_t *rest = addend.present ? addend_rows + to : output + to;
        s2c_two_rows(output + to, output + to + distance * width, x, x + next, rest, rest + distance * width,
                     weight + g * columns * depth, g * columns, columns, depth, result, addend);
    }
}

/* All rows of a matmul; a last odd row is paired with itself. */
S2C_INLINE void s2c_rows(int8_t *output, const int8_t *input, const int8_t *addend_rows, const int8_t *weight,
                         int32_t rows, int32_t groups, int32_t columns, int32_t depth, s2c_result result,
                         s2c_addend addend)
{
    int32_t r = 0;
    for (; r + 2 <= rows; r += 2) {
        s2c_row_pair(output, input, addend_rows, weight, r, 1, groups, columns, depth, result, addend);
    }
    if (r < rows) {
        s2c_row_pair(output, input, addend_rows, weight, r, 0, groups, columns, depth, result, addend);
    }
}

#endif
