/* TFLite's int8 ADD: output[i] = clamp(zero + scale(scale(a[i] - a_zero) + scale(b[j] - b_zero))), where b is indexed
   by the middle of three axes.
   in place: a
   needs: vector
   Constant: every loop runs over an extent. */
#include "lib/addend_i8.h"
#include "lib/elementwise_i8.h"

S2C_INLINE void add_i8_vector(int8_t *output, const int8_t *a, const int8_t *b, int32_t outer, int32_t middle,
                              int32_t inner, int32_t a_zero, int32_t a_multiplier, int32_t a_shift,
                              int32_t b_zero, int32_t b_multiplier, int32_t b_shift, int32_t add_multiplier,
                              int32_t add_shift, int32_t add_once, int32_t add_zero, int32_t add_lo,
                              int32_t add_hi)
{
    const s2c_addend add = {1,       a_zero,         a_multiplier, a_shift,  b_zero,   b_multiplier,
                            b_shift, add_multiplier, add_shift,    add_once, add_zero, add_lo,
                            add_hi};
#define S2C_SUM(x, y) s2c_narrow(s2c_add_addend((x) - a_zero, y, add) + add_zero, add_lo, add_hi)
    S2C_ELEMENTWISE(S2C_SUM);
#undef S2C_SUM
}
