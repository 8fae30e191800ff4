/* output[i] = 1, 0 or -1 where input[i] is above, at or below zero: exact.
   NaN stays NaN, zeros and subnormals of either sign become 0.
   in place: input
   Constant: selects, no branch. */
#include "lib/bits.h"

S2C_INLINE float s2c_sign_of(float x)
{
    const float upper = s2c_select(x >= S2C_SMALLEST, 1.0f, 0.0f);
    const float signed_one = s2c_select(x <= -S2C_SMALLEST, -1.0f, upper);
    return s2c_select(x == x, signed_one, x);
}

S2C_INLINE void sign_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_sign_of(input[i]);
    }
}
