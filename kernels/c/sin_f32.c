/* output[i] = sin(input[i]), lib/trigonometric.h.
   Error over all float32 inputs: at most 1.88 ulp, 1.4e-7 relative.
   NaN stays NaN, infinities become NaN, zeros stay.
   in place: input
   Constant: selects, no branch. */
#include "lib/trigonometric.h"

S2C_INLINE float s2c_sin(float x)
{
    const s2c_angle_parts a = s2c_reduce(x);
    const float y = s2c_sine_in_quadrant(a, a.quadrant);
    const float with_sign = s2c_float(s2c_bits(y) ^ (s2c_bits(x) & S2C_SIGN));
    return s2c_select(s2c_abs(x) <= S2C_LARGEST, with_sign, S2C_NAN);
}

S2C_INLINE void sin_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_sin(input[i]);
    }
}
