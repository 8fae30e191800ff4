/* sin, cos and tan of every float: |x| * 2/pi is computed in integers from as many bits of 2/pi as its
   exponent asks for (M. Payne, R. Hanek, "Radian reduction for trigonometric functions", SIGNUM Newsletter
   18, 1983). All windows of the bits are read, and masks choose one: no address depends on x.
   For |r| <= pi/4 and z = r*r: sin(r) = r + r*z*p(z), cos(r) = 1 - z/2 + z*z*q(z); the coefficients are from
   bench/minimax.py. */
#ifndef S2C_TRIGONOMETRIC_H
#define S2C_TRIGONOMETRIC_H
#include "bits.h"

#define S2C_HALF_PI_12 0x1.92p0f /* pi/2 to 12 bits, and the rest */
#define S2C_HALF_PI_REST 0x1.fb5444p-12f
#define S2C_HALF_PI 0x1.921fb6p0f

/* |x| = quadrant * pi/2 + (high + low), times -1 where flip, the sign bit, is set; high + low in 0..pi/4. */
typedef struct {
    float high, low;
    uint32_t quadrant, flip;
} s2c_angle_parts;

/* |x| * 2/pi modulo 4, in units of 2^-62, for |x| >= 1/64. */
S2C_INLINE uint64_t s2c_turns(float x)
{
    static const uint32_t bits[8] = {0,
                                     UINT32_C(0xa2f9836e),
                                     UINT32_C(0x4e441529),
                                     UINT32_C(0xfc2757d1),
                                     UINT32_C(0xf534ddc0),
                                     UINT32_C(0xdb629599),
                                     UINT32_C(0x3c439041),
                                     UINT32_C(0xfe5163ab)};
    const int32_t exponent = (int32_t)(s2c_bits(x) << 1 >> 24);
    const uint32_t mantissa = (s2c_bits(x) & UINT32_C(0x007fffff)) | UINT32_C(0x00800000);
    const int32_t above = exponent - 120;
    const uint32_t skipped = (uint32_t)(above & ~(above >> 31));
    uint32_t word[4] = {0};
    for (uint32_t window = 0; window < 5; window++) {
        const uint32_t mask = 0 - (uint32_t)(window == skipped >> 5);
        for (uint32_t i = 0; i < 4; i++) {
            word[i] |= bits[window + i] & mask;
        }
    }
    const uint32_t left = skipped & 31;
    const uint32_t right = 31 - left;
    const uint32_t high = word[0] << left | word[1] >> 1 >> right;
    const uint32_t middle = word[1] << left | word[2] >> 1 >> right;
    const uint32_t low = word[2] << left | word[3] >> 1 >> right;
    return ((uint64_t)(mantissa * high) << 32) + (uint64_t)mantissa * middle +
           ((uint64_t)mantissa * low >> 32);
}

/* The distance to the nearest quadrant is cut into pieces of 12, 18 and 31 bits, of which the first times the
   first of pi/2 is exact: high + low is as good as 30 bits. Up to pi/4 it is |x|. */
S2C_INLINE s2c_angle_parts s2c_reduce(float x)
{
    const float magnitude = s2c_abs(x);
    const int32_t near = magnitude < 0.785398f;
    const uint32_t far = (uint32_t)near - 1; /* a mask */
    const uint64_t turns = s2c_turns(x);
    const uint32_t upper = (uint32_t)(turns >> 32);
    const uint32_t quadrant = (upper + (UINT32_C(1) << 29)) >> 30;
    const uint32_t signed_high = upper - (quadrant << 30);
    const uint32_t negative = 0 - (signed_high >> 31);
    const int32_t high = (int32_t)(signed_high ^ negative);
    const int32_t low = (int32_t)(((uint32_t)turns ^ negative) >> 1);
    const float first = (float)(high >> 18) * 0x1p-12f;
    const float rest = (float)(high & 0x3ffff) * 0x1p-30f + (float)low * 0x1p-61f;
    const float exact = first * S2C_HALF_PI_12;
    const float behind = first * S2C_HALF_PI_REST + rest * S2C_HALF_PI;
    const float sum = exact + behind;
    const float lost = behind - (sum - exact);
    const s2c_angle_parts parts = {s2c_select(near, magnitude, sum), s2c_select(near, 0.0f, lost),
                                   quadrant & far, negative & far & S2C_SIGN};
    return parts;
}

S2C_INLINE float s2c_sine_near_zero(s2c_angle_parts a)
{
    const float z = a.high * a.high;
    float p = 2.83251006e-06f;
    p = p * z + -0.000198530644f;
    p = p * z + 0.0083333794f;
    p = p * z + -0.166666672f;
    return a.high + (a.high * (z * p) + a.low);
}

S2C_INLINE float s2c_cosine_near_zero(s2c_angle_parts a)
{
    const float z = a.high * a.high;
    float q = -2.88812203e-07f;
    q = q * z + 2.48220222e-05f;
    q = q * z + -0.001388898f;
    q = q * z + 0.0416666679f;
    const float half = 0.5f * z;
    const float near = 1.0f - half;
    return near + (((1.0f - near) - half) + (z * (z * q) - a.high * a.low));
}

/* sin(quadrant * pi/2 + a). */
S2C_INLINE float s2c_sine_in_quadrant(s2c_angle_parts a, uint32_t quadrant)
{
    const float sine = s2c_float(s2c_bits(s2c_sine_near_zero(a)) ^ a.flip);
    const float cosine = s2c_cosine_near_zero(a);
    const float y = s2c_select((int32_t)(quadrant & 1), cosine, sine);
    return s2c_float(s2c_bits(y) ^ (quadrant & 2) << 30);
}

#endif
