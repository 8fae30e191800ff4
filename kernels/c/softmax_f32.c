/* softmax of each row: y = exp(beta * (x - m)) / total, where m is the row's largest x (beta is positive)
   and total the sum of the powers. Eight partial maxima and sums, folded at the end, fill a vector.
   Error measured up to 4096 a row: at most 1.9e-7 absolute; relative at most 4e-7 + 1.2e-7 * beta * (m - x),
   as the exponent is rounded to float.
   A row with NaN or +inf becomes NaN, as does one of -inf alone; other -inf become 0.
   in place: input
   Constant: selects, no branch, no division. */
#include "lib/exponential.h"
#include "lib/reciprocal.h"

#define S2C_SOFTMAX_LANES 8

S2C_INLINE float s2c_largest(const float *x, int32_t size)
{
    float lanes[S2C_SOFTMAX_LANES];
    for (int32_t j = 0; j < S2C_SOFTMAX_LANES; j++) {
        lanes[j] = x[0];
    }
    int32_t i = 0;
    for (; i + S2C_SOFTMAX_LANES <= size; i += S2C_SOFTMAX_LANES) {
        for (int32_t j = 0; j < S2C_SOFTMAX_LANES; j++) {
            const float next = x[i + j];
            const float most = lanes[j];
            lanes[j] = s2c_select(next > most, next, most);
        }
    }
    float largest = lanes[0];
    for (int32_t j = 1; j < S2C_SOFTMAX_LANES; j++) {
        const float next = lanes[j];
        largest = s2c_select(next > largest, next, largest);
    }
    for (; i < size; i++) {
        const float next = x[i];
        largest = s2c_select(next > largest, next, largest);
    }
    return largest;
}

/* Adds x to a sum; lost is what the additions so far have rounded off (W. Kahan, "Further remarks on
   reducing truncation errors", 1965). */
S2C_INLINE void s2c_add_exactly(float *sum, float *lost, float x)
{
    const float wanted = x - *lost;
    const float next = *sum + wanted;
    *lost = (next - *sum) - wanted;
    *sum = next;
}

S2C_INLINE float s2c_total(const float *x, int32_t size)
{
    float sums[S2C_SOFTMAX_LANES];
    float losses[S2C_SOFTMAX_LANES];
    for (int32_t i = 0; i < S2C_SOFTMAX_LANES; i++) {
        sums[i] = 0.0F;
        losses[i] = 0.0F;
    }
    int32_t i = 0;
    for (; i + S2C_SOFTMAX_LANES <= size; i += S2C_SOFTMAX_LANES) {
        for (int32_t j = 0; j < S2C_SOFTMAX_LANES; j++) {
            s2c_add_exactly(&sums[j], &losses[j], x[i + j]);
        }
    }
    float total = sums[0];
    float lost = losses[0];
    for (int32_t j = 1; j < S2C_SOFTMAX_LANES; j++) {
        s2c_add_exactly(&total, &lost, sums[j]);
        lost += losses[j];
    }
    for (; i < size; i++) {
        s2c_add_exactly(&total, &lost, x[i]);
    }
    return total - lost;
}

S2C_INLINE void softmax_f32(float *output, const float *input, int32_t rows, int32_t size, float beta)
{
    for (int32_t r = 0; r < rows; r++) {
        const float *x = input + r * size;
        float *y = output + r * size;
        const float largest = s2c_largest(x, size);
        for (int32_t i = 0; i < size; i++) {
            y[i] = s2c_exp_of_negative(beta * (x[i] - largest), 0.0f);
        }
        const float factor = s2c_reciprocal_of_positive(s2c_total(y, size));
        for (int32_t i = 0; i < size; i++) {
            y[i] *= factor;
        }
    }
}
