/* output[i] = a[i] - n * b[j] with n the quotient rounded towards zero, where b is indexed by the middle of
   three axes. Exact, but for subnormal results, which become 0 while a net runs: a long division in binary,
   of one step for each of the 254 exponents that a may have above b's.
   NaN where one of them is NaN, a is infinite or b zero; a where b is infinite. Subnormals count as zeros,
   zero has the sign of a.
   in place: a
   Constant: selects, no branch. */
#include "lib/normal.h"
#include "lib/zip.h"

S2C_INLINE float s2c_fmod(float a, float b)
{
    const float x = s2c_normal(a);
    const float y = s2c_normal(b);
    const uint32_t x_bits = s2c_bits(x) & ~S2C_SIGN;
    const uint32_t y_bits = s2c_bits(y) & ~S2C_SIGN;
    const uint32_t divisor = (y_bits & UINT32_C(0x007fffff)) | UINT32_C(0x00800000);
    const int32_t steps = (int32_t)(x_bits >> 23) - (int32_t)(y_bits >> 23);
    uint32_t rest = (x_bits & UINT32_C(0x007fffff)) | UINT32_C(0x00800000);
    for (int32_t step = 253; step >= 0; step--) {
        const uint32_t active = 0 - (uint32_t)(step <= steps);
        const uint32_t less = rest - (divisor & active);
        const uint32_t negative = 0 - (less >> 31);
        const uint32_t remainder = (rest & negative) | (less & ~negative);
        rest = remainder << (active & (uint32_t)(step > 0));
    }
    const float power = s2c_float(y_bits & UINT32_C(0x7f800000));
    const float reduced = s2c_with_sign((float)(int32_t)rest * 0x1p-23f * power, a);
    const float result = s2c_select(steps < 0, x, reduced);
    const float divided = s2c_select(s2c_abs(y) > 0.0f, result, S2C_NAN);
    const float finite = s2c_select(s2c_abs(x) <= S2C_LARGEST, divided, S2C_NAN);
    return s2c_select(b == b, finite, S2C_NAN);
}

S2C_INLINE void fmod_f32(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                         int32_t inner)
{
    S2C_ZIP(float, s2c_fmod(x, y))
}
