/* output[i] = x * sigmoid(x) for x = input[i].
   @ERROR
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
