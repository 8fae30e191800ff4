/* Rounding to integers that are floats. The sum with 2^23 has no bits for a fraction; from 2^23 on there is
   none. */
#ifndef S2C_ROUNDING_H
#define S2C_ROUNDING_H
#include "bits.h"

/* |x| to the nearest integer, ties to even; NaN and infinities stay. */
S2C_INLINE float s2c_round_magnitude(float x)
{
    const float magnitude = s2c_abs(x);
    const float rounded = (magnitude + 0x1p23f) - 0x1p23f;
    return s2c_select(magnitude < 0x1p23f, rounded, magnitude);
}

S2C_INLINE float s2c_round(float x)
{
    return s2c_with_sign(s2c_round_magnitude(x), x);
}

#endif
