/* Between floats and integers where the language's casts are undefined or, on a 32-bit machine, calls. */
#ifndef S2C_WIDE_H
#define S2C_WIDE_H
#include "bits.h"
#include "whole.h"

/* Towards zero, saturated, NaN as 0. The 24 bits of the significand lie topmost below the sign and go down to where the
   exponent wants them. */
S2C_INLINE int64_t s2c_i64_of_float(float x)
{
    const uint32_t bits = s2c_bits(x);
    const uint32_t exponent = bits >> 23 & UINT32_C(0xff);
    const uint64_t significand = (uint64_t)((bits & UINT32_C(0x7fffff)) | UINT32_C(0x800000)) << 39;
    const uint32_t down = UINT32_C(189) - exponent;
    const uint32_t is_large = exponent > 189;
    const uint32_t distance = s2c_select_32(exponent < 126, 63, down) & 63;
    const uint64_t sign = UINT64_C(0) - (uint64_t)(bits >> 31);
    const uint64_t whole = s2c_right_64(significand, distance);
    const uint64_t number =
        s2c_select_64((int32_t)is_large, (uint64_t)INT64_MAX - sign, (whole ^ sign) - sign);
    const uint32_t is_number = (bits & ~S2C_SIGN) <= UINT32_C(0x7f800000);
    return (int64_t)(number & (UINT64_C(0) - (uint64_t)is_number));
}

/* Towards zero, saturated, NaN as 0. */
S2C_INLINE int32_t s2c_i32_of_float(float x)
{
    const int32_t is_inside = s2c_abs(x) < 0x1p31f;
    const int32_t whole = (int32_t)s2c_select(is_inside, x, 0.0f);
    const uint32_t is_number = x == x;
    const uint32_t limit = (UINT32_C(0x7fffffff) + (s2c_bits(x) >> 31)) & (UINT32_C(0) - is_number);
    return (int32_t)s2c_select_32(is_inside, (uint32_t)whole, limit);
}

typedef struct {
    uint64_t significand;
    uint32_t exponent;
} s2c_parts;

/* Shifted by step, a literal, where as many bits on top are 0. */
S2C_INLINE s2c_parts s2c_raise(s2c_parts x, uint32_t step)
{
    const uint32_t is_clear = x.significand >> (64 - step) == 0;
    x.significand = s2c_select_64((int32_t)is_clear, x.significand << step, x.significand);
    x.exponent -= step & (UINT32_C(0) - is_clear);
    return x;
}

/* To nearest, ties to even. */
S2C_INLINE float s2c_float_of_u64(uint64_t x)
{
    s2c_parts top = {x, 127 + 63};
    top = s2c_raise(top, 32);
    top = s2c_raise(top, 16);
    top = s2c_raise(top, 8);
    top = s2c_raise(top, 4);
    top = s2c_raise(top, 2);
    top = s2c_raise(top, 1);
    const uint32_t kept = (uint32_t)(top.significand >> 40);
    const uint64_t rest = top.significand << 24;
    const uint64_t half = UINT64_C(1) << 63;
    const uint32_t up = (uint32_t)(rest > half) | ((uint32_t)(rest == half) & kept & 1);
    const uint32_t bits = ((top.exponent - 1) << 23) + kept + up;
    return s2c_float(s2c_select_32(x != 0, bits, 0));
}

S2C_INLINE float s2c_float_of_i64(int64_t x)
{
    const uint64_t sign = UINT64_C(0) - ((uint64_t)x >> 63);
    const float magnitude = s2c_float_of_u64(((uint64_t)x ^ sign) - sign);
    return s2c_float(s2c_bits(magnitude) | ((uint32_t)sign & S2C_SIGN));
}

#endif
