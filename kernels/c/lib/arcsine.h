/* asin: asin(b) = b + b*z*p(z) with z = b*b for b <= 1/2; the coefficients are from bench/minimax.py. Beyond
   1/2 asin(a) = pi/2 - 2 * asin(sqrt((1 - a) / 2)), where (1 - a) / 2 is exact. */
#ifndef S2C_ARCSINE_H
#define S2C_ARCSINE_H
#include "root.h"

#define S2C_HALF_PI_HIGH 0x1.921fb6p0f
#define S2C_HALF_PI_LOW -0x1.777a5cp-25f

typedef struct {
    float value, rest; /* b and asin(b) - b */
    int32_t steep;     /* 1 where a > 1/2 */
} s2c_arcsine;

/* For a >= 0; NaN where a > 1. */
S2C_INLINE s2c_arcsine s2c_arcsine_parts(float a)
{
    const int32_t steep = a > 0.5f;
    const float below_one = 0.5f * (1.0f - a);
    const float square = a * a;
    const float z = s2c_select(steep, below_one, square);
    const float root = s2c_sqrt(below_one);
    const float b = s2c_select(steep, root, a);
    float p = 0.0376919061f;
    p = p * z + 0.0143169006f;
    p = p * z + 0.0318388455f;
    p = p * z + 0.044513382f;
    p = p * z + 0.0750052184f;
    p = p * z + 0.166666597f;
    const s2c_arcsine parts = {b, b * (z * p), steep};
    return parts;
}

#endif
