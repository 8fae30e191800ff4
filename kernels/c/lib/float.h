/* Selects between floats: NaN stays NaN where it is the value clamped. */
#ifndef S2C_FLOAT_H
#define S2C_FLOAT_H
#include "bits.h"

S2C_INLINE float s2c_clamp_float(float x, float lo, float hi)
{
    const float raised = s2c_select(x < lo, lo, x);
    return s2c_select(raised > hi, hi, raised);
}

#endif
