/* The float clamp: two selects, so NaN stays NaN. */
#ifndef S2C_FLOAT_H
#define S2C_FLOAT_H
#include "base.h"

S2C_INLINE float s2c_clamp_float(float x, float lo, float hi)
{
    const float raised = x < lo ? lo : x;
    return raised > hi ? hi : raised;
}

#endif
