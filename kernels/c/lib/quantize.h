/* round(x / scale) for 2^-100 <= scale <= 2^100 without a division, where the quotient is first rounded to
   float32 and ties go to even or away from zero: what ONNX' QuantizeLinear and TFLite's QUANTIZE compute,
   to the bit. */
#ifndef S2C_QUANTIZE_H
#define S2C_QUANTIZE_H
#include "exponential.h"
#include "reciprocal.h"

/* 1 or -1 where n, a neighbour of x / scale, is to be the next integer towards x / scale, else 0. All
   quotients within half a unit in the last place of a tie round to the tie. Each difference below is exact:
   n has 8 bits, the parts of the scale 16 and 8. */
S2C_INLINE int32_t s2c_quantize_step(float x, float n, float scale, uint32_t away)
{
    const float scale_high = s2c_float(s2c_bits(scale) & UINT32_C(0xffffff00));
    const float rest = (x - n * scale_high) - n * (scale - scale_high);
    const float beyond = s2c_abs(rest) - 0.5f * scale;
    /* Below 1/2 the unit is half of that above, and the tie is the only power of two among all. */
    const uint32_t tie = s2c_bits(n + s2c_with_sign(0.5f, rest)) - away;
    const float half_unit = s2c_float((tie & UINT32_C(0x7f800000)) - (UINT32_C(24) << 23)) * scale;
    const uint32_t is_odd = s2c_bits(n + S2C_ROUND) << 31;
    const uint32_t is_away = ~(s2c_bits(rest) ^ s2c_bits(x)) & S2C_SIGN;
    const float threshold = s2c_float(s2c_bits(half_unit) | (away != 0 ? is_away : is_odd));
    const int32_t outwards = beyond > threshold;
    const int32_t is_down = rest < 0.0f;
    return outwards - 2 * (outwards & is_down);
}

/* x as int8; inverse is 1 / scale within a few units in the last place, away 1 or 0. n, the rounded product
   with the inverse, is right but next to a tie, where the step decides. */
S2C_INLINE int8_t s2c_quantize(float x, float inverse, float scale, int32_t zero, uint32_t away)
{
    const float lo = (float)(-128 - zero);
    const float hi = (float)(127 - zero);
    const float quotient = x * inverse;
    const float raised = s2c_select(quotient > lo, quotient, lo);
    const float bounded = s2c_select(raised < hi, raised, hi);
    const float n = (bounded + S2C_ROUND) - S2C_ROUND;
    const int32_t y = (int32_t)n + s2c_quantize_step(x, n, scale, away) + zero;
    const int32_t saturated = y < -128 ? -128 : y;
    return (int8_t)(saturated > 127 ? 127 : saturated);
}

#endif
