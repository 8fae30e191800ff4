/* output[i] = log1p(2*a + 2*a * a / (1 - a)) / 2 with a = |x|, and the sign of x.
   Error over all float32 inputs: at most 1.79 ulp, 1.4e-7 relative.
   NaN stays NaN, +-1 become +-inf, what is beyond them NaN, zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/logarithm.h"
#include "lib/reciprocal.h"

S2C_INLINE float s2c_atanh(float x)
{
    const float a = s2c_abs(x);
    const float twice = 2.0f * a;
    const float y = 0.5f * s2c_log1p_defined(twice + twice * (a * s2c_reciprocal_of_positive(1.0f - a)));
    const float finite = s2c_with_sign(s2c_abs(y), x);
    const float infinity = s2c_with_sign(S2C_INFINITY, x);
    const float defined = s2c_select(a < 1.0f, finite, infinity);
    return s2c_select(a <= 1.0f, defined, S2C_NAN);
}

S2C_INLINE void atanh_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_atanh(input[i]);
    }
}
