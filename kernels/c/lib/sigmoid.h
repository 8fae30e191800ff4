/* 1 / (1 + exp(-x)) as exp(min(x, 0)) / (1 + exp(-|x|)): nothing overflows, nothing cancels. */
#ifndef S2C_SIGMOID_H
#define S2C_SIGMOID_H
#include "exponential.h"
#include "reciprocal.h"

S2C_INLINE float s2c_sigmoid(float x)
{
    const float e = s2c_exp_of_negative(-s2c_abs(x), 0.0f);
    return s2c_select(x < 0.0f, e, 1.0f) * s2c_reciprocal_of_positive(1.0f + e);
}

#endif
