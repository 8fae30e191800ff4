/* output[i] = the smallest integer that is not below input[i]: exact.
   NaN and infinities stay, zeros keep their sign, and so does what becomes zero; positive subnormals may
   become 1 where they do not count as zero.
   in place: input
   Constant: selects, no branch. */
#include "lib/rounding.h"

S2C_INLINE float s2c_ceil(float x)
{
    const float rounded = s2c_round(x);
    const float above = rounded + 1.0f;
    return s2c_with_sign(s2c_abs(s2c_select(rounded < x, above, rounded)), x);
}

S2C_INLINE void ceil_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_ceil(input[i]);
    }
}
