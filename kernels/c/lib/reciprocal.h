/* 1 / d without a division, whose running time may depend on d. */
#ifndef S2C_RECIPROCAL_FLOAT_H
#define S2C_RECIPROCAL_FLOAT_H
#include "bits.h"

/* 1 / d for 2^-126 <= d <= 2^126, and NaN for NaN. Subtracting the bit patterns negates the exponent: an
   estimate within 12 % (J. F. Blinn, "Floating-point tricks", 1997). With e = 1 - d*y each step y + y*(e +
   e*e) leaves the error e^3: 1.8e-3, then 6e-9. */
S2C_INLINE float s2c_reciprocal_of_positive(float d)
{
    float y = s2c_float(UINT32_C(0x7ef311c7) - s2c_bits(d));
    for (int32_t step = 0; step < 2; step++) {
        const float e = 1.0f - d * y;
        y = y + y * (e + e * e);
    }
    return y;
}

#endif
