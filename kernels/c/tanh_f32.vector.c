/* output[i] = tanh(input[i]) = m / (1 - m) with m = -expm1(-2 |x|) / 2, and the sign of x. Of |x| = h - n * ln 2 / 2 with n
   an integer, m = (2^n * (1 - exp(-2 h)) + 1 - 2^n) / 2; the rounded ln 2 is good enough, as 2^n falls faster than n
   times its error grows. The coefficients are those of lib/exponential.h times powers of -2.
   Error over all float32 inputs: at most 3.79 ulp, 2.7e-7 relative.
   NaN stays NaN, +-inf become +-1.
   in place: input
   needs: vector
   Constant: selects, no branch, no division. */
#include "lib/exponential_f32.h"
#include "lib/map_f32.h"
#include "lib/reciprocal_f32.h"

#define S2C_HALF_POWER_ROUND (S2C_POWER_ROUND - 1.0f) /* gives 2^(n - 1) */

S2C_INLINE s2c_floats s2c_tanh_floats(s2c_floats x)
{
    const s2c_floats a = s2c_at_most_floats(s2c_abs_floats(x), 20.0f);
    const s2c_floats rounded = s2c_horner(a, s2c_all_floats(-2.0f * S2C_LOG2_E), S2C_HALF_POWER_ROUND);
    const s2c_floats n = rounded - S2C_HALF_POWER_ROUND;
    const s2c_floats h = s2c_multiply_add(n, s2c_all_floats(0x1.62e43p-2f), a);
    s2c_floats p = s2c_all_floats(64.0f * 0.00138367456f);
    p = s2c_horner(p, h, -32.0f * 0.00836710539f);
    p = s2c_horner(p, h, 16.0f * 0.041667752f);
    p = s2c_horner(p, h, -8.0f * 0.16666539f);
    p = s2c_horner(p, h, 4.0f * 0.49999997f);
    const s2c_floats less = s2c_multiply_subtract(h * h, p, h + h); /* 1 - exp(-2 h) */
    const s2c_floats half = s2c_power_of_two_floats(rounded);
    const s2c_floats m = s2c_multiply_add(half, less, 0.5f - half);
    return s2c_with_sign_floats(m * s2c_reciprocal_of_positive_floats(1.0f - m), x);
}

S2C_INLINE void tanh_f32_vector(float *output, const float *input, int32_t size)
{
    S2C_MAP_FLOATS(s2c_tanh_floats(x))
}
