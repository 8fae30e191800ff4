/* output[i] = exp(input[i]) = 2^n * exp(r), lib/exponential.h. 2^n is the product of two powers, as neither
   end of the range of n is a float.
   Error over all float32 inputs: at most 1.04 ulp, 8.5e-8 relative.
   NaN stays NaN, +inf and what overflows become inf, -inf and what underflows 0.
   in place: input
   needs: vector
   Constant: selects, no branch. */
#include "lib/exponential_f32.h"
#include "lib/map_f32.h"

#define S2C_EXP_ROUND (S2C_ROUND + 254.0f)

S2C_INLINE s2c_floats s2c_exp_floats(s2c_floats x)
{
    const s2c_floats bounded = s2c_clamp_floats(x, -104.0f, 89.0f);
    const s2c_powers parts = s2c_split_floats(-bounded, S2C_EXP_ROUND);
    const s2c_words exponent = (s2c_words)parts.rounded; /* its low bits: n + 254 */
    const s2c_words half = exponent >> 1;
    const s2c_floats power = s2c_expm1_near_zero_floats(parts.h) + 1.0f;
    return power * (s2c_floats)(half << 23) * (s2c_floats)((exponent - half) << 23);
}

S2C_INLINE void exp_f32_vector(float *output, const float *input, int32_t size)
{
    S2C_MAP_FLOATS(s2c_exp_floats(x))
}
