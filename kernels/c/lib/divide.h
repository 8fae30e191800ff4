/* Integer division in a fixed number of steps: a division instruction's time may depend on data. */
#ifndef S2C_DIVIDE_H
#define S2C_DIVIDE_H
#include "whole.h"

typedef struct {
    uint32_t quotient, rest;
} s2c_division_32;

typedef struct {
    uint64_t quotient, rest;
} s2c_division_64;

/* a / b for a and b up to 2^31 by restoring division, a bit of the quotient in each step; rest is a where b is 0. */
S2C_INLINE s2c_division_32 s2c_divide_32(uint32_t a, uint32_t b)
{
    s2c_division_32 result = {0, 0};
    for (int32_t step = 0; step < 32; step++) {
        const uint32_t rest = result.rest << 1 | a >> 31;
        const uint32_t fits = rest >= b;
        a <<= 1;
        result.rest = rest - (b & (UINT32_C(0) - fits));
        result.quotient = result.quotient << 1 | fits;
    }
    return result;
}

/* The same for a and b up to 2^63. */
S2C_INLINE s2c_division_64 s2c_divide_64(uint64_t a, uint64_t b)
{
    s2c_division_64 result = {0, 0};
    for (int32_t step = 0; step < 64; step++) {
        const uint64_t rest = result.rest << 1 | a >> 63;
        const uint64_t fits = rest >= b;
        a <<= 1;
        result.rest = rest - (b & (UINT64_C(0) - fits));
        result.quotient = result.quotient << 1 | fits;
    }
    return result;
}

/* All ones where x is negative, else 0. */
S2C_INLINE uint32_t s2c_sign_32(int32_t x)
{
    return UINT32_C(0) - ((uint32_t)x >> 31);
}

S2C_INLINE uint64_t s2c_sign_64(int64_t x)
{
    return UINT64_C(0) - ((uint64_t)x >> 63);
}

/* -x where the sign is all ones, x where it is 0. */
S2C_INLINE uint32_t s2c_negate_32(uint32_t x, uint32_t sign)
{
    return (x ^ sign) - sign;
}

S2C_INLINE uint64_t s2c_negate_64(uint64_t x, uint64_t sign)
{
    return (x ^ sign) - sign;
}

/* Towards zero; 0 where b is 0. */
S2C_INLINE int32_t s2c_quotient_32(int32_t a, int32_t b)
{
    const uint32_t sign_a = s2c_sign_32(a);
    const uint32_t sign_b = s2c_sign_32(b);
    const s2c_division_32 result =
        s2c_divide_32(s2c_negate_32((uint32_t)a, sign_a), s2c_negate_32((uint32_t)b, sign_b));
    return (int32_t)s2c_select_32(b != 0, s2c_negate_32(result.quotient, sign_a ^ sign_b), 0);
}

S2C_INLINE int64_t s2c_quotient_64(int64_t a, int64_t b)
{
    const uint64_t sign_a = s2c_sign_64(a);
    const uint64_t sign_b = s2c_sign_64(b);
    const s2c_division_64 result =
        s2c_divide_64(s2c_negate_64((uint64_t)a, sign_a), s2c_negate_64((uint64_t)b, sign_b));
    return (int64_t)s2c_select_64(b != 0, s2c_negate_64(result.quotient, sign_a ^ sign_b), 0);
}

/* Of the dividend's sign; the dividend where b is 0. */
S2C_INLINE int32_t s2c_remainder_32(int32_t a, int32_t b)
{
    const uint32_t sign = s2c_sign_32(a);
    const uint32_t divisor = s2c_negate_32((uint32_t)b, s2c_sign_32(b));
    return (int32_t)s2c_negate_32(s2c_divide_32(s2c_negate_32((uint32_t)a, sign), divisor).rest, sign);
}

S2C_INLINE int64_t s2c_remainder_64(int64_t a, int64_t b)
{
    const uint64_t sign = s2c_sign_64(a);
    const uint64_t divisor = s2c_negate_64((uint64_t)b, s2c_sign_64(b));
    return (int64_t)s2c_negate_64(s2c_divide_64(s2c_negate_64((uint64_t)a, sign), divisor).rest, sign);
}

#endif
