/* 1 / sqrt(x) and sqrt(x) without the instructions, whose running time may depend on x. Halving the bit
   pattern halves the exponent: an estimate of y = 1 / sqrt(x) within 3.5 % (J. F. Blinn, "Floating-point
   tricks", 1997).
   Each Newton-Raphson step y * (1.5 - x*y*y/2) squares the error: 1.8e-3, 5e-6, 3e-11. No product leaves the
   range of normal floats. */
#ifndef S2C_ROOT_H
#define S2C_ROOT_H
#include "bits.h"

/* Within 5e-6, for a positive normal float. */
S2C_INLINE float s2c_inverse_root_estimate(float x)
{
    float y = s2c_float(UINT32_C(0x5f375a86) - (s2c_bits(x) >> 1));
    for (int32_t step = 0; step < 2; step++) {
        y = y * (1.5f - x * y * (0.5f * y));
    }
    return y;
}

/* The last step is taken on x*y itself. NaN and +inf stay, zeros stay, subnormals become 0, what is below
   NaN. */
S2C_INLINE float s2c_sqrt(float x)
{
    const float y = s2c_inverse_root_estimate(x);
    const float near = x * y;
    const float root = near + near * (0.5f - near * (0.5f * y));
    const float nothing = 0.0f * x;
    const float positive = s2c_select(x > S2C_LARGEST, x, root);
    const float defined = s2c_select(x < S2C_SMALLEST, nothing, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

#endif
