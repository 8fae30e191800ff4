/* Elements of any dtype, 1, 2, 4 or 8 bytes long, as numbers. */
#ifndef S2C_ELEMENT_H
#define S2C_ELEMENT_H
#include "base.h"

S2C_INLINE uint64_t s2c_load_element(const uint8_t *from, int32_t bytes)
{
    uint8_t x1 = 0;
    uint16_t x2 = 0;
    uint32_t x4 = 0;
    uint64_t x8 = 0;
    if (bytes == 1) {
        __builtin_memcpy(&x1, from, 1);
    } else if (bytes == 2) {
        __builtin_memcpy(&x2, from, 2);
    } else if (bytes == 4) {
        __builtin_memcpy(&x4, from, 4);
    } else {
        __builtin_memcpy(&x8, from, 8);
    }
    return x1 | x2 | x4 | x8;
}

S2C_INLINE void s2c_store_element(uint8_t *to, uint64_t x, int32_t bytes)
{
    const uint8_t x1 = (uint8_t)x;
    const uint16_t x2 = (uint16_t)x;
    const uint32_t x4 = (uint32_t)x;
    if (bytes == 1) {
        __builtin_memcpy(to, &x1, 1);
    } else if (bytes == 2) {
        __builtin_memcpy(to, &x2, 2);
    } else if (bytes == 4) {
        __builtin_memcpy(to, &x4, 4);
    } else {
        __builtin_memcpy(to, &x, 8);
    }
}

#endif
