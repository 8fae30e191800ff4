/* output[i] = the angle of the point (b[j], a[i]), lib/arctangent.h, where b is indexed by the middle of
   three axes. Both are first divided by the power of two in the larger one, and two infinities count as
   equal.
   Error over random pairs: at most 2.23 ulp, 1.6e-7 relative.
   NaN where one of them is NaN; subnormals count as zeros, and the signs of zeros as in C.
   in place: a
   Constant: selects, no branch. */
#include "lib/arctangent.h"
#include "lib/normal.h"
#include "lib/zip.h"

S2C_INLINE float s2c_atan2(float a, float b)
{
    const float y = s2c_abs(s2c_normal(a));
    const float x = s2c_abs(s2c_normal(b));
    const float larger = s2c_select(y > x, y, x);
    const float bounded = s2c_select(larger < S2C_SMALLEST, S2C_SMALLEST, larger);
    const float scale = s2c_float((UINT32_C(255) << 23) - (s2c_bits(bounded) & UINT32_C(0x7f800000)));
    const float y_scaled = y * scale;
    const float x_scaled = x * scale;
    const float y_infinite = s2c_select(y > S2C_LARGEST, 1.0f, 0.0f);
    const float x_infinite = s2c_select(x > S2C_LARGEST, 1.0f, 0.0f);
    const float at_y = s2c_select(larger > S2C_LARGEST, y_infinite, y_scaled);
    const float at_x = s2c_select(larger > S2C_LARGEST, x_infinite, x_scaled);
    const float from_zero = s2c_select(larger < S2C_SMALLEST, 1.0f, at_x);
    const float angle = s2c_with_sign(s2c_abs(s2c_angle(at_y, from_zero, (int32_t)(s2c_bits(b) >> 31))), a);
    const float defined = s2c_select(b == b, angle, b);
    return s2c_select(a == a, defined, a);
}

S2C_INLINE void atan2_f32(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                          int32_t inner)
{
    S2C_ZIP(float, s2c_atan2(x, y))
}
