/* The loop of a function of vectors: output[i] = result, an expression of x = input[i]. */
#ifndef S2C_MAP_F32_H
#define S2C_MAP_F32_H
#include "vector_f32.h"

#define S2C_MAP_FLOATS(result)                                                                               \
    const int32_t whole = size / S2C_FLOATS * S2C_FLOATS;                                                    \
    for (int32_t i = 0; i < whole; i += S2C_FLOATS) {                                                        \
        const s2c_floats x = s2c_load_floats(input + i);                                                     \
        s2c_store_floats(output + i, (result));                                                              \
    }                                                                                                        \
    if (whole < size) {                                                                                      \
        const s2c_floats x = s2c_load_some_floats(input + whole, size - whole);                              \
        s2c_store_some_floats(output + whole, (result), size - whole);                                       \
    }

#endif
