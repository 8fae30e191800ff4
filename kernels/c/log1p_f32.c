/* output[i] = log(1 + input[i]), lib/logarithm.h.
   Error over all float32 inputs: at most 0.95 ulp, 8.4e-8 relative.
   NaN stays NaN, +inf stays inf, zeros stay, -1 becomes -inf, what is below it NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/logarithm.h"

S2C_INLINE float s2c_log1p(float x)
{
    const float y = s2c_with_sign(s2c_abs(s2c_log1p_defined(x)), x);
    const float finite = s2c_select(x > S2C_LARGEST, x, y);
    const float defined = s2c_select(x > -1.0f, finite, -S2C_INFINITY);
    return s2c_select(x >= -1.0f, defined, S2C_NAN);
}

S2C_INLINE void log1p_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_log1p(input[i]);
    }
}
