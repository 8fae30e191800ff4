/* What becomes of the sums of an int8 contraction: scaled, moved to the zero point, clamped. */
#ifndef S2C_RESULT_I8_H
#define S2C_RESULT_I8_H
#include "requantize.h"

typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t scales, least_shift, most_shift, headroom, once, zero, lo, hi;
} s2c_result;

S2C_INLINE int32_t s2c_finish(int32_t sum, int32_t n, s2c_result p)
{
    const int32_t i = p.scales == 1 ? 0 : n;
    const int32_t scaled =
        s2c_rescale(sum, p.multiplier[i], p.shift[i], p.least_shift, p.most_shift, p.headroom, p.once);
    return s2c_clamp(scaled + p.zero, p.lo, p.hi);
}

#endif
