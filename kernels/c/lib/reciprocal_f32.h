/* 1 / d of vectors, by the formula of reciprocal.h. */
#ifndef S2C_RECIPROCAL_F32_H
#define S2C_RECIPROCAL_F32_H
#include "vector_f32.h"

/* 1 / d for 2^-126 <= d <= 2^126, and NaN for NaN. */
S2C_INLINE s2c_floats s2c_reciprocal_of_positive_floats(s2c_floats d)
{
    s2c_floats y = (s2c_floats)(UINT32_C(0x7ef311c7) - (s2c_words)d);
    for (int32_t step = 0; step < 2; step++) {
        const s2c_floats e = s2c_multiply_subtract(d, y, s2c_all_floats(1.0f));
        y = s2c_multiply_add(y, s2c_multiply_add(e, e, e), y);
    }
    return y;
}

#endif
