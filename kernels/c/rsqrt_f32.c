/* output[i] = 1 / sqrt(input[i]), lib/root.h.
   Error over all float32 inputs: at most 1.22 ulp, 9.8e-8 relative.
   NaN stays NaN, +inf becomes 0, zeros and subnormals inf with their sign, what is below them NaN.
   in place: input
   Constant: selects, no branch. */
#include "lib/root.h"

S2C_INLINE float s2c_rsqrt(float x)
{
    const float y = s2c_inverse_root_estimate(x);
    const float root = y + y * (0.5f - x * y * (0.5f * y));
    const float positive = s2c_select(x > S2C_LARGEST, 0.0f, root);
    const float infinity = s2c_with_sign(S2C_INFINITY, x);
    const float defined = s2c_select(x < S2C_SMALLEST, infinity, positive);
    return s2c_select(x > -S2C_SMALLEST, defined, S2C_NAN);
}

S2C_INLINE void rsqrt_f32(float *output, const float *input, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        output[i] = s2c_rsqrt(input[i]);
    }
}
