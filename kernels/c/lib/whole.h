/* Plain integers: selects and shifts without a branch. */
#ifndef S2C_WHOLE_H
#define S2C_WHOLE_H
#include "base.h"

/* yes where the condition, 0 or 1, holds, else no. A conditional expression may become a branch. */
S2C_INLINE uint32_t s2c_select_32(int32_t condition, uint32_t yes, uint32_t no)
{
    return no ^ ((yes ^ no) & (UINT32_C(0) - (uint32_t)condition));
}

S2C_INLINE uint64_t s2c_select_64(int32_t condition, uint64_t yes, uint64_t no)
{
    return no ^ ((yes ^ no) & (UINT64_C(0) - (uint64_t)condition));
}

/* x << n and x >> n for n of 0..63, in steps of literal length: a 32-bit machine has no such instruction, and
   its compiler may call a function that branches. */
S2C_INLINE uint64_t s2c_left_64(uint64_t x, uint32_t n)
{
    x = s2c_select_64((int32_t)(n >> 5 & 1), x << 32, x);
    x = s2c_select_64((int32_t)(n >> 4 & 1), x << 16, x);
    x = s2c_select_64((int32_t)(n >> 3 & 1), x << 8, x);
    x = s2c_select_64((int32_t)(n >> 2 & 1), x << 4, x);
    x = s2c_select_64((int32_t)(n >> 1 & 1), x << 2, x);
    return s2c_select_64((int32_t)(n & 1), x << 1, x);
}

S2C_INLINE uint64_t s2c_right_64(uint64_t x, uint32_t n)
{
    x = s2c_select_64((int32_t)(n >> 5 & 1), x >> 32, x);
    x = s2c_select_64((int32_t)(n >> 4 & 1), x >> 16, x);
    x = s2c_select_64((int32_t)(n >> 3 & 1), x >> 8, x);
    x = s2c_select_64((int32_t)(n >> 2 & 1), x >> 4, x);
    x = s2c_select_64((int32_t)(n >> 1 & 1), x >> 2, x);
    return s2c_select_64((int32_t)(n & 1), x >> 1, x);
}

/* What is shifted out is gone: 0 where n, which comes from data, is as many bits as there are or more. */
S2C_INLINE uint32_t s2c_shift_left_32(uint32_t x, uint32_t n)
{
    return s2c_select_32(n < 32, x << (n & 31), 0);
}

S2C_INLINE uint32_t s2c_shift_right_32(uint32_t x, uint32_t n)
{
    return s2c_select_32(n < 32, x >> (n & 31), 0);
}

S2C_INLINE uint64_t s2c_shift_left_64(uint64_t x, uint64_t n)
{
    return s2c_select_64(n < 64, s2c_left_64(x, (uint32_t)n & 63), 0);
}

S2C_INLINE uint64_t s2c_shift_right_64(uint64_t x, uint64_t n)
{
    return s2c_select_64(n < 64, s2c_right_64(x, (uint32_t)n & 63), 0);
}

#endif
