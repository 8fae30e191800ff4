/* output[i] = x * q(x), where q is the standard normal distribution function. With a = |x| the tail beyond
   a is exp(-a*a/2) * t*p(u) with t = 1 / (1 + 0.3 * a) and u = 1 - t; the output is x times the tail where
   x < 0, else x minus that. a*a/2 is taken as a sum of an exact product and a rest, because exp turns an absolute error of its
   argument into a relative one. The coefficients are from bench/minimax.py.
   Error over all float32 inputs: at most 7.70 ulp, 5.0e-7 relative, the worst in the tail.
   NaN stays NaN, +inf stays inf, -inf becomes NaN (-inf * 0).
   in place: input
   needs: vector
   Constant: selects, no branch, no division. */
#include "lib/exponential_f32.h"
#include "lib/map_f32.h"
#include "lib/reciprocal_f32.h"

S2C_INLINE s2c_floats s2c_gelu_floats(s2c_floats x)
{
    const s2c_floats a = s2c_at_most_floats(s2c_abs_floats(x), 14.0f);
    const s2c_floats high = (s2c_floats)((s2c_words)a & UINT32_C(0xfffff000));
    const s2c_floats power = s2c_exp_of_minus_half_floats(high * high, (a - high) * (a + high));
    const s2c_floats t = s2c_reciprocal_of_positive_floats(s2c_horner(s2c_all_floats(0.3f), a, 1.0f));
    const s2c_floats u = 1.0f - t;
    s2c_floats p = s2c_all_floats(0.0207631625f);
    p = s2c_horner(p, u, -0.073588118f);
    p = s2c_horner(p, u, 0.0716388375f);
    p = s2c_horner(p, u, 0.00988340192f);
    p = s2c_horner(p, u, 0.0233910736f);
    p = s2c_horner(p, u, -0.139710486f);
    p = s2c_horner(p, u, -0.0810296983f);
    p = s2c_horner(p, u, 0.618146777f);
    p = s2c_horner(p, u, -0.829807281f);
    p = s2c_horner(p, u, 0.5f);
    /* In this order, as the tail alone may be subnormal where its product with x is not; above 14 it is zero,
       which an infinite x must not make NaN. */
    const s2c_floats tail = s2c_at_most_floats(x, 14.0f) * t * p * power;
    return s2c_choose_floats(x < 0.0f, tail, x - tail);
}

S2C_INLINE void gelu_f32_vector(float *output, const float *input, int32_t size)
{
    S2C_MAP_FLOATS(s2c_gelu_floats(x))
}
