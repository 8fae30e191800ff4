/* output[i] = x * q(x), where q is the standard normal distribution function. With a = |x| the tail beyond
   a is exp(-a*a/2) * t*p(u) with t = 1 / (1 + 0.3 * a) and u = 1 - t; q is the tail where x < 0, else 1 -
   tail. a*a/2 is taken as a sum of an exact product and a rest, because exp turns an absolute error of its
   argument into a relative one. The coefficients are from bench/minimax.py.
   Error over all float32 inputs: at most 7.53 ulp, 5.0e-7 relative, the worst far in the tail.
   NaN stays NaN, +inf stays inf, -inf becomes NaN (-inf * 0).
   in place: input
   Constant: selects, no branch, no division. */
#include "lib/exponential.h"
#include "lib/reciprocal.h"

S2C_INLINE float s2c_gelu(float x)
{
    const float magnitude = s2c_abs(x);
    const float a = s2c_select(magnitude > 14.0f, 14.0f, magnitude);
    const float high = s2c_float(s2c_bits(a) & UINT32_C(0xfffff000));
    const float rest = 0.5f * (a - high) * (a + high);
    const float power = s2c_exp_of_negative(-0.5f * high * high, rest);
    const float t = s2c_reciprocal_of_positive(1.0f + 0.3f * a);
    const float u = 0.3f * a * t;
    float p = 0.0207631625f;
    p = p * u + -0.073588118f;
    p = p * u + 0.0716388375f;
    p = p * u + 0.00988340192f;
    p = p * u + 0.0233910736f;
    p = p * u + -0.139710486f;
    p = p * u + -0.0810296983f;
    p = p * u + 0.618146777f;
    p = p * u + -0.829807281f;
    p = p * u + 0.5f;
    p = p * t;
    /* In this order, as the tail alone may be subnormal where its product with x is not. */
    return s2c_select(x < 0.0f, x * p * power, x * (1.0f - p * power));
}

S2C_INLINE void gelu_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_gelu(input[i]);
    }
}
