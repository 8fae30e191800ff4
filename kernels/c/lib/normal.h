/* Floats of which none is subnormal, in integer arithmetic too. */
#ifndef S2C_NORMAL_H
#define S2C_NORMAL_H
#include "bits.h"

/* x, but zero with the sign of x for a subnormal. */
S2C_INLINE float s2c_normal(float x)
{
    const float magnitude = s2c_abs(x);
    return s2c_with_sign(s2c_select(magnitude < S2C_SMALLEST, 0.0f, magnitude), x);
}

#endif
