/* output[i] = the integer part of input[i]: exact.
   NaN and infinities stay, zeros keep their sign, and so does what becomes zero.
   in place: input
   Constant: selects, no branch. */
#include "lib/rounding.h"

S2C_INLINE float s2c_trunc(float x)
{
    const float magnitude = s2c_abs(x);
    const float rounded = s2c_round_magnitude(x);
    const float below = rounded - 1.0f;
    return s2c_with_sign(s2c_select(rounded > magnitude, below, rounded), x);
}

S2C_INLINE void trunc_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_trunc(input[i]);
    }
}
