/* output[i] = x * sigmoid(x) for x = input[i].
   Error over all float32 inputs: at most 4.41 ulp, 2.9e-7 relative; 7.3e-37 absolute where the result is
   below 1e-35, and 0 below x = -87.7.
   NaN stays NaN, +inf stays inf, -inf becomes NaN (-inf * 0).
   in place: input
   Constant: selects, no branch, no division. */
#include "lib/sigmoid.h"

S2C_INLINE void silu_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = input[i] * s2c_sigmoid(input[i]);
    }
}
