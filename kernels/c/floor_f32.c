/* output[i] = the largest integer that is not above input[i]: exact.
   NaN and infinities stay, zeros keep their sign; negative subnormals may become -1 where they do not count
   as zero.
   in place: input
   Constant: selects, no branch. */
#include "lib/rounding.h"

S2C_INLINE float s2c_floor(float x)
{
    const float rounded = s2c_round(x);
    const float below = rounded - 1.0f;
    return s2c_select(rounded > x, below, rounded);
}

S2C_INLINE void floor_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_floor(input[i]);
    }
}
