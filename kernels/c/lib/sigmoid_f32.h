/* 1 / (1 + exp(-x)) of vectors, by the formula of sigmoid.h. */
#ifndef S2C_SIGMOID_F32_H
#define S2C_SIGMOID_F32_H
#include "exponential_f32.h"
#include "reciprocal_f32.h"

S2C_INLINE s2c_floats s2c_sigmoid_floats(s2c_floats x)
{
    const s2c_floats e = s2c_exp_of_minus_floats(s2c_abs_floats(x), s2c_all_floats(0.0f));
    const s2c_floats above = s2c_choose_floats(x < 0.0f, e, s2c_all_floats(1.0f));
    return above * s2c_reciprocal_of_positive_floats(e + 1.0f);
}

#endif
