/* softmax of each row: y = exp(beta * (x - m)) / total, where m is the row's largest x (beta is positive)
   and total the sum of the powers: sixteen partial sums, each with what its additions round off, folded halves on halves.
   Error measured up to 4096 a row: at most 1.9e-7 absolute; relative at most 4e-7 + 1.2e-7 * beta * (m - x),
   as the exponent is rounded to float.
   A row with NaN or +inf becomes NaN, as does one of -inf alone; other -inf become 0.
   in place: input
   needs: vector
   Constant: selects, no branch, no division. */
#include "lib/exponential_f32.h"
#include "lib/lanes_f32.h"
#include "lib/reciprocal.h"

/* count, a literal, values; what stands behind them changes nothing. */
S2C_INLINE s2c_wide s2c_larger_wide(s2c_wide most, const float *x, int32_t count)
{
    const s2c_wide next = s2c_load_wide(x, count, -S2C_INFINITY);
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        most.part[v] = s2c_choose_floats(next.part[v] > most.part[v], next.part[v], most.part[v]);
    }
    return most;
}

/* Sums, and what they have rounded off (W. Kahan, "Further remarks on reducing truncation errors", 1965). */
typedef struct {
    s2c_wide sum, lost;
} s2c_totals;

/* y = exp(beta * (x - largest)) for count, a literal, values. */
S2C_INLINE s2c_totals s2c_add_powers(float *y, const float *x, int32_t count, float largest, float beta,
                                     s2c_totals totals)
{
    s2c_wide powers = s2c_load_wide(x, count, -S2C_INFINITY);
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        const s2c_floats below = beta * (largest - powers.part[v]);
        powers.part[v] = s2c_exp_of_minus_floats(below, s2c_all_floats(0.0f));
        const s2c_floats wanted = powers.part[v] - totals.lost.part[v];
        const s2c_floats next = totals.sum.part[v] + wanted;
        totals.lost.part[v] = (next - totals.sum.part[v]) - wanted;
        totals.sum.part[v] = next;
    }
    s2c_store_wide(y, powers, count);
    return totals;
}

S2C_INLINE float s2c_largest_of_row(const float *x, int32_t size)
{
    const int32_t whole = size / S2C_WIDE * S2C_WIDE;
    s2c_wide most = s2c_all_wide(x[0]);
    for (int32_t i = 0; i < whole; i += S2C_WIDE) {
        most = s2c_larger_wide(most, x + i, S2C_WIDE);
    }
    if (whole < size) {
        most = s2c_larger_wide(most, x + whole, size - whole);
    }
    return s2c_largest_wide(most);
}

S2C_INLINE s2c_totals s2c_powers_of_row(float *y, const float *x, int32_t size, float largest, float beta)
{
    const int32_t whole = size / S2C_WIDE * S2C_WIDE;
    s2c_totals totals = {s2c_all_wide(0.0f), s2c_all_wide(0.0f)};
    for (int32_t i = 0; i < whole; i += S2C_WIDE) {
        totals = s2c_add_powers(y + i, x + i, S2C_WIDE, largest, beta, totals);
    }
    if (whole < size) {
        totals = s2c_add_powers(y + whole, x + whole, size - whole, largest, beta, totals);
    }
    return totals;
}

S2C_INLINE void s2c_scale_row(float *y, int32_t size, float factor)
{
    const int32_t whole = size / S2C_WIDE * S2C_WIDE;
    for (int32_t i = 0; i < whole; i += S2C_FLOATS) {
        s2c_store_floats(y + i, s2c_load_floats(y + i) * factor);
    }
    for (int32_t i = whole; i < size; i++) {
        y[i] *= factor;
    }
}

#define S2C_ROWS 4 /* at a time, so that one's steps fill the waits of another's */

/* rows: a literal of up to S2C_ROWS. */
S2C_INLINE void s2c_softmax_rows(float *y, const float *x, int32_t rows, int32_t size, float beta)
{
    float largest[S2C_ROWS];
    s2c_totals totals[S2C_ROWS];
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        largest[r] = s2c_largest_of_row(x + r * size, size);
    }
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        totals[r] = s2c_powers_of_row(y + r * size, x + r * size, size, largest[r], beta);
    }
    S2C_UNROLL
    for (int32_t r = 0; r < rows; r++) {
        const float sum = s2c_sum_wide(totals[r].sum) - s2c_sum_wide(totals[r].lost);
        s2c_scale_row(y + r * size, size, s2c_reciprocal_of_positive(sum));
    }
}

S2C_INLINE void softmax_f32_vector(float *output, const float *input, int32_t rows, int32_t size, float beta)
{
    const int32_t whole = rows / S2C_ROWS * S2C_ROWS;
    for (int32_t r = 0; r < whole; r += S2C_ROWS) {
        s2c_softmax_rows(output + r * size, input + r * size, S2C_ROWS, size, beta);
    }
    for (int32_t r = whole; r < rows; r++) {
        s2c_softmax_rows(output + r * size, input + r * size, 1, size, beta);
    }
}
