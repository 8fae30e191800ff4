/* output[i] = erf(x) = 1 - exp(-(a + a*p(a))) with a = |x|, and the sign of x. One formula serves all x:
   near 0 expm1 keeps the result exact to a share of itself. The coefficients are from bench/minimax.py.
   Error over all float32 inputs: at most 2.03 ulp, 1.6e-7 relative.
   NaN stays NaN, +-inf become +-1.
   in place: input
   needs: vector
   Constant: selects, no branch. */
#include "lib/exponential_f32.h"
#include "lib/map_f32.h"

S2C_INLINE s2c_floats s2c_erf_floats(s2c_floats x)
{
    const s2c_floats a = s2c_at_most_floats(s2c_abs_floats(x), 4.0f);
    s2c_floats p = s2c_all_floats(1.64095354e-06f);
    p = s2c_horner(p, a, -2.57631928e-05f);
    p = s2c_horner(p, a, 0.000185005934f);
    p = s2c_horner(p, a, -0.000776981935f);
    p = s2c_horner(p, a, 0.00184153859f);
    p = s2c_horner(p, a, -0.000280664273f);
    p = s2c_horner(p, a, -0.0191080384f);
    p = s2c_horner(p, a, 0.102769688f);
    p = s2c_horner(p, a, 0.636619925f);
    p = s2c_horner(p, a, 0.128379166f);
    const s2c_floats e = s2c_expm1_of_minus_floats(s2c_multiply_add(a, p, a));
    return s2c_with_sign_floats(s2c_abs_floats(e), x);
}

S2C_INLINE void erf_f32_vector(float *output, const float *input, int32_t size)
{
    S2C_MAP_FLOATS(s2c_erf_floats(x))
}
