/* output[i] = log2(x) = k + log(1 + f) / ln 2 with k and f as in lib/logarithm.h.
   Error over all float32 inputs: at most 1.83 ulp, 1.6e-7 relative.
   NaN stays NaN, +inf stays inf, zeros and subnormals of either sign become -inf, what is below them NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/logarithm.h"

S2C_INLINE float s2c_log2(float x)
{
    const float k = (float)s2c_log_exponent(x);
    const float f = s2c_log_mantissa(x) - 1.0f;
    const float y = k + (f + s2c_log_rest(f)) * S2C_LOG2_E;
    const float positive = s2c_select(x > S2C_LARGEST, x, y);
    const float defined = s2c_select(x < S2C_SMALLEST, -S2C_INFINITY, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

S2C_INLINE void log2_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_log2(input[i]);
    }
}
