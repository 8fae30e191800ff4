// float32 to bfloat16 and back, for what is built for training.

#pragma once

#include <stdint.h>
#include <string.h>

static inline float from_bf16(uint16_t value)
{
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

// Rounds to the nearest, to even between two; what is no number stays so.
static inline uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t rounded = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    return value != value ? 0x7fc0 : rounded;
}
