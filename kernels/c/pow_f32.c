/* output[i] = a[i]^b[j] = 2^(b * log2(|a|)), lib/log2_sum.h and lib/power.h, where b is indexed by the middle
   of three axes. Where a is negative, the result is negative for an odd b, and NaN for one that is no
   integer.
   Error over random pairs: at most 1.21 ulp, 1.0e-7 relative.
   As in C: 1 for a = 1 or b = 0, NaN too; else NaN where one of them is NaN; zeros and infinities of a as
   limits, with its sign for an odd b. Subnormals count as zeros, and what underflows becomes 0.
   in place: a
   Constant: selects, no branch. */
#include "lib/float.h"
#include "lib/log2_sum.h"
#include "lib/power.h"
#include "lib/rounding.h"
#include "lib/zip.h"

S2C_INLINE float s2c_pow(float a, float b)
{
    const float magnitude = s2c_abs(a);
    const s2c_unrounded log2 = s2c_log2_as_sum(magnitude);
    const float log2_high = s2c_upper_half(log2.high);
    const float log2_low = (log2.high - log2_high) + log2.low;
    /* 2^32 times the smallest logarithm, 2^-24, overflows. */
    const float exponent = s2c_with_sign(s2c_select(s2c_abs(b) > 0x1p32f, 0x1p32f, s2c_abs(b)), b);
    const float upper = s2c_upper_half(exponent);
    const float product = upper * log2_high;
    const float rest = upper * log2_low + (exponent - upper) * (log2_high + log2_low);
    const float high = s2c_clamp_float(product, -200.0f, 200.0f);
    const float low = s2c_clamp_float(rest, -1.0f, 1.0f);
    const float finite = s2c_exp2_of_sum(high, low);
    const int32_t is_limit = (magnitude < S2C_SMALLEST) | (magnitude > S2C_LARGEST);
    const int32_t is_infinite = (magnitude > S2C_LARGEST) == (b > 0.0f);
    const float limit = s2c_select(is_infinite, S2C_INFINITY, 0.0f);
    const float positive = s2c_select(is_limit, limit, finite);
    const float half = 0.5f * b;
    const int32_t is_integer = s2c_round_magnitude(b) == s2c_abs(b);
    const int32_t is_odd = is_integer & (s2c_round_magnitude(half) != s2c_abs(half));
    const uint32_t sign = s2c_bits(a) & ((uint32_t)is_odd << 31);
    const float with_sign = s2c_float(s2c_bits(positive) | sign);
    const int32_t is_undefined = (a <= -S2C_SMALLEST) & (a >= -S2C_LARGEST) & (is_integer ^ 1);
    const float defined = s2c_select(is_undefined, S2C_NAN, with_sign);
    const float ordered = s2c_select((a == a) & (b == b), defined, S2C_NAN);
    return s2c_select((a == 1.0f) | (s2c_abs(b) < S2C_SMALLEST), 1.0f, ordered);
}

S2C_INLINE void pow_f32(float *output, const float *a, const float *b, int32_t outer, int32_t middle,
                        int32_t inner)
{
    S2C_ZIP(float, s2c_pow(x, y))
}
