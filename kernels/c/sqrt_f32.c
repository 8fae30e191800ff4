/* output[i] = sqrt(x) = x*y with y = 1 / sqrt(x), for x = input[i]. Halving the bit pattern halves the
   exponent: an estimate of y within 3.5 % (J. F. Blinn, "Floating-point tricks", 1997). Each Newton-Raphson
   step y * (1.5 - x*y*y/2) squares the error: 1.8e-3, 5e-6, 3e-11; the last step is taken on x*y itself. No
   product leaves the range of normal floats.
   Error over all float32 inputs: at most 0.99 ulp, 1.1e-7 relative.
   NaN and +inf stay, zeros stay, subnormals become 0, what is below them NaN.
   in place: input
   Constant: selects, no branch, no division, no square root instruction. */
#include "lib/bits.h"

S2C_INLINE float s2c_sqrt(float x)
{
    float y = s2c_float(UINT32_C(0x5f375a86) - (s2c_bits(x) >> 1));
    for (int32_t step = 0; step < 2; step++) {
        y = y * (1.5f - x * y * (0.5f * y));
    }
    const float near = x * y;
    const float root = near + near * (0.5f - near * (0.5f * y));
    const float nothing = 0.0f * x;
    const float positive = s2c_select(x > S2C_LARGEST, x, root);
    const float defined = s2c_select(x < S2C_SMALLEST, nothing, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

S2C_INLINE void sqrt_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_sqrt(input[i]);
    }
}
