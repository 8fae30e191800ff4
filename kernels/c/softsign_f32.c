/* output[i] = x / (1 + |x|) for x = input[i].
   Error over all float32 inputs: at most 2.98 ulp, 2.0e-7 relative.
   NaN stays NaN, infinities become NaN (inf / inf), zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/reciprocal.h"

S2C_INLINE float s2c_softsign(float x)
{
    const float a = s2c_abs(x);
    const float b = s2c_select(a > 0x1p30f, 0x1p30f, a);
    const float y = s2c_with_sign(b * s2c_reciprocal_of_positive(1.0f + b), x);
    return s2c_select(a <= S2C_LARGEST, y, S2C_NAN);
}

S2C_INLINE void softsign_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_softsign(input[i]);
    }
}
