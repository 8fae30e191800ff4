/* output[i] = log(input[i]), lib/logarithm.h.
   Error over all float32 inputs: at most 0.87 ulp, 8.2e-8 relative.
   NaN stays NaN, +inf stays inf, zeros and subnormals of either sign become -inf, what is below them NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/logarithm.h"

S2C_INLINE float s2c_log(float x)
{
    const float k = (float)s2c_log_exponent(x);
    const float f = s2c_log_mantissa(x) - 1.0f;
    const float y = k * S2C_LN2_HIGH + (f + (k * S2C_LN2_LOW + s2c_log_rest(f)));
    const float positive = s2c_select(x > S2C_LARGEST, x, y);
    const float defined = s2c_select(x < S2C_SMALLEST, -S2C_INFINITY, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

S2C_INLINE void log_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_log(input[i]);
    }
}
