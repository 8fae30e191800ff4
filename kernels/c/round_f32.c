/* output[i] = the integer nearest to input[i], ties to even, lib/rounding.h: exact.
   NaN and infinities stay, zeros keep their sign, and so does what is rounded to zero.
   in place: input
   Constant: selects, no branch. */
#include "lib/rounding.h"

S2C_INLINE void round_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_round(input[i]);
    }
}
