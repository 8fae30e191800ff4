/* output[i] = tanh(input[i]) = -e / (2 + e) with e = expm1(-2 |x|), and the sign of x.
   Error over all float32 inputs: at most 3.79 ulp, 2.7e-7 relative.
   NaN stays NaN, +-inf become +-1.
   in place: input
   Constant: selects, no branch, no division. */
#include "lib/exponential.h"
#include "lib/reciprocal.h"

S2C_INLINE float s2c_tanh(float x)
{
    const float e = s2c_expm1_of_negative(-2.0f * s2c_abs(x));
    return s2c_with_sign(s2c_abs(e) * s2c_reciprocal_of_positive(2.0f + e), x);
}

S2C_INLINE void tanh_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_tanh(input[i]);
    }
}
