/* The bit pattern of a float, and what follows from it without a branch. */
#ifndef S2C_BITS_H
#define S2C_BITS_H
#include "base.h"

#define S2C_SIGN UINT32_C(0x80000000)
#define S2C_SMALLEST 0x1p-126f /* the smallest normal float: below it lie the subnormals */
#define S2C_LARGEST 0x1.fffffep127f

S2C_INLINE uint32_t s2c_bits(float x)
{
    const union {
        float value;
        uint32_t bits;
    } both = {x};
    return both.bits;
}

S2C_INLINE float s2c_float(uint32_t bits)
{
    const union {
        uint32_t bits;
        float value;
    } both = {bits};
    return both.value;
}

S2C_INLINE float s2c_abs(float x)
{
    return s2c_float(s2c_bits(x) & ~S2C_SIGN);
}

/* yes where the condition, 0 or 1, holds, else no. clang keeps a select between two names; had its arms
   operations in them, it would become a branch that skips the work. gcc makes a branch of either. */
S2C_INLINE float s2c_select(int32_t condition, float yes, float no)
{
#if defined(__clang__)
    return condition ? yes : no;
#else
    const uint32_t mask = (uint32_t)-condition;
    return s2c_float((s2c_bits(yes) & mask) | (s2c_bits(no) & ~mask));
#endif
}

/* magnitude, which is not negative, with the sign of x. */
S2C_INLINE float s2c_with_sign(float magnitude, float x)
{
    return s2c_float(s2c_bits(magnitude) | (s2c_bits(x) & S2C_SIGN));
}

#endif
