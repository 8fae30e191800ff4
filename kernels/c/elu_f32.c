/* output[i] = x where x > 0, else exp(x) - 1, for x = input[i].
   Error over all float32 inputs: at most 1.01 ulp, 9.1e-8 relative.
   NaN stays NaN, +inf stays inf, -inf becomes -1.
   in place: input
   Constant: selects, no branch. */
#include "lib/exponential.h"

S2C_INLINE float s2c_elu(float x)
{
    const float e = s2c_expm1_of_negative(s2c_select(x > 0.0f, 0.0f, x));
    return s2c_select(x > 0.0f, x, e);
}

S2C_INLINE void elu_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_elu(input[i]);
    }
}
