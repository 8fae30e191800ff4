/* output[i] = 2^input[i], lib/power.h.
   Error over all float32 inputs: at most 1.10 ulp, 9.2e-8 relative.
   NaN stays NaN, +inf and what overflows become inf, -inf and what underflows 0.
   in place: input
   Constant: selects, no branch. */
#include "lib/power.h"

S2C_INLINE float s2c_exp2(float x)
{
    const float below = s2c_select(x > 129.0f, 129.0f, x);
    const float bounded = s2c_select(below < -152.0f, -152.0f, below);
    return s2c_exp2_of_sum(bounded, 0.0f);
}

S2C_INLINE void exp2_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_exp2(input[i]);
    }
}
