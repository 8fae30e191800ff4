/* output[i] = x * sigmoid(x) for x = input[i].
   Error over all float32 inputs: at most 4.41 ulp, 2.9e-7 relative; 7.3e-37 absolute where the result is
   below 1e-35, and 0 below x = -87.7.
   NaN stays NaN, +inf stays inf, -inf becomes NaN (-inf * 0).
   in place: input
   needs: vector
   Constant: selects, no branch, no division. */
#include "lib/map_f32.h"
#include "lib/sigmoid_f32.h"

S2C_INLINE s2c_floats s2c_silu_floats(s2c_floats x)
{
    return x * s2c_sigmoid_floats(x);
}

S2C_INLINE void silu_f32_vector(float *output, const float *input, int32_t size)
{
    S2C_MAP_FLOATS(s2c_silu_floats(x))
}
