/* output[i] = log1p(a + a*a / (1 + sqrt(a*a + 1))) with a = |x|, and the sign of x; beyond 2^30 log1p(a) +
   log(2).
   Error over all float32 inputs: at most 1.80 ulp, 1.4e-7 relative.
   NaN stays NaN, infinities stay, zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/logarithm.h"
#include "lib/reciprocal.h"
#include "lib/root.h"

S2C_INLINE float s2c_asinh(float x)
{
    const float a = s2c_abs(x);
    const float b = s2c_select(a > 0x1p30f, 0x1p30f, a);
    const float square = b * b;
    const float sum = b + square * s2c_reciprocal_of_positive(1.0f + s2c_sqrt(square + 1.0f));
    const float argument = s2c_select(a > 0x1p30f, a, sum);
    const float doubled = s2c_select(a > 0x1p30f, S2C_LN2_HIGH + S2C_LN2_LOW, 0.0f);
    const float y = s2c_log1p_defined(argument) + doubled;
    return s2c_with_sign(s2c_select(a > S2C_LARGEST, a, y), x);
}

S2C_INLINE void asinh_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_asinh(input[i]);
    }
}
