/* log2 as the sum of two floats, good to some 2^-34 of itself: of x = 2^k * m with sqrt(1/2) <= m < sqrt(2),
   log2(x) = k + s * (c0 + c1*z + z*z*p(z)) with s = (m - 1) / (m + 1) and z = s*s. What has to be exact is
   cut into halves of 12 bits, whose products are (T. J. Dekker, "A floating-point technique for extending the
   available precision", 1971). The coefficients are from bench/minimax.py. */
#ifndef S2C_LOG2_SUM_H
#define S2C_LOG2_SUM_H
#include "logarithm.h"
#include "quotient.h"

typedef struct {
    float high, low;
} s2c_unrounded;

/* high + low for |high| >= |low|: the rounded sum, and what it lacks. */
S2C_INLINE s2c_unrounded s2c_unrounded_sum(float high, float low)
{
    const float sum = high + low;
    const s2c_unrounded both = {sum, low - (sum - high)};
    return both;
}

/* (m - 1) / (m + 1): 12 bits, and the rest of it. */
S2C_INLINE s2c_unrounded s2c_log2_argument(float m)
{
    const float top = m - 1.0f;
    const float bottom = m + 1.0f;
    const float lost = m - (bottom - 1.0f);
    const float inverse = s2c_reciprocal_of_positive(bottom);
    const float s = s2c_upper_half(top * inverse);
    const float upper = s2c_upper_half(bottom);
    const s2c_unrounded both = {s, (((top - s * upper) - s * (bottom - upper)) - s * lost) * inverse};
    return both;
}

/* For a positive normal float. */
S2C_INLINE s2c_unrounded s2c_log2_as_sum(float x)
{
    const s2c_unrounded s = s2c_log2_argument(s2c_log_mantissa(x));
    const float square = s.high * s.high;
    const float z_high = s2c_upper_half(square);
    const float z_low = (square - z_high) + s.low * (2.0f * s.high + s.low);
    const float z = z_high + z_low;
    float p = 0.281711966f;
    p = p * z + 0.320011795f;
    p = p * z + 0.412205935f;
    p = p * z + 0.577077985f;
    const float tail = z_high * 0x1.09dc3ap-13f + (z_low * 0x1.ec709ep-1f + z * (z * p));
    const s2c_unrounded factor = s2c_unrounded_sum(0x1.714p1f, z_high * 0x1.ec6p-1f);
    const float rest = factor.low + (0x1.47652cp-11f + tail);
    const float upper = s2c_upper_half(factor.high);
    const float lower = (factor.high - upper) + rest;
    const s2c_unrounded y = s2c_unrounded_sum((float)s2c_log_exponent(x), s.high * upper);
    return s2c_unrounded_sum(y.high, y.low + (s.high * lower + s.low * (upper + lower)));
}

#endif
