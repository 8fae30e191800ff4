/* The loops of a function of two operands, on vectors: output[at] = result, an expression of x = a[at] and y = b[m], where b
   is indexed by the middle of three axes. */
#ifndef S2C_ZIP_F32_H
#define S2C_ZIP_F32_H
#include "vector_f32.h"

#define S2C_ZIP_FLOATS(result)                                                                               \
    const int32_t count = inner == 1 ? middle : inner;                                                       \
    const int32_t whole = count / S2C_FLOATS * S2C_FLOATS;                                                   \
    for (int32_t row = 0; row < (inner == 1 ? outer : outer * middle); row++) {                              \
        const float *from = a + row * count;                                                                 \
        float *to = output + row * count;                                                                    \
        for (int32_t i = 0; i < whole; i += S2C_FLOATS) {                                                    \
            const s2c_floats x = s2c_load_floats(from + i);                                                  \
            const s2c_floats y = inner == 1 ? s2c_load_floats(b + i) : s2c_all_floats(b[row % middle]);      \
            s2c_store_floats(to + i, (result));                                                              \
        }                                                                                                    \
        if (whole < count) {                                                                                 \
            const s2c_floats x = s2c_load_some_floats(from + whole, count - whole);                          \
            const s2c_floats y = inner == 1 ? s2c_load_some_floats(b + whole, count - whole)                 \
                                            : s2c_all_floats(b[row % middle]);                               \
            s2c_store_some_floats(to + whole, (result), count - whole);                                      \
        }                                                                                                    \
    }

#endif
