/* Sixteen values side by side on vectors of any width, so that what is folded over them at the end comes in one order. */
#ifndef S2C_LANES_F32_H
#define S2C_LANES_F32_H
#include "vector_f32.h"

#define S2C_WIDE 16
#define S2C_PARTS (S2C_WIDE / S2C_FLOATS)

typedef struct {
    s2c_floats part[S2C_PARTS];
} s2c_wide;

S2C_INLINE s2c_wide s2c_all_wide(float x)
{
    s2c_wide all;
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        all.part[v] = s2c_all_floats(x);
    }
    return all;
}

/* count, a literal, of them; the rest is `fill`. */
S2C_INLINE s2c_wide s2c_load_wide(const float *from, int32_t count, float fill)
{
    s2c_wide x = s2c_all_wide(fill);
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        const int32_t first = v * S2C_FLOATS;
        if (first + S2C_FLOATS <= count) {
            x.part[v] = s2c_load_floats(from + first);
            continue;
        }
        for (int32_t i = first; i < count; i++) {
            x.part[v][i - first] = from[i];
        }
    }
    return x;
}

S2C_INLINE void s2c_store_wide(float *to, s2c_wide x, int32_t count)
{
    S2C_UNROLL
    for (int32_t v = 0; v < S2C_PARTS; v++) {
        if (v * S2C_FLOATS < count) {
            s2c_store_some_floats(to + v * S2C_FLOATS, x.part[v], count - v * S2C_FLOATS);
        }
    }
}

/* The sum of all, halves on halves. */
S2C_INLINE float s2c_sum_wide(s2c_wide x)
{
    float lanes[S2C_WIDE];
    s2c_store_wide(lanes, x, S2C_WIDE);
    for (int32_t half = S2C_WIDE / 2; half > 0; half /= 2) {
        for (int32_t i = 0; i < half; i++) {
            lanes[i] += lanes[i + half];
        }
    }
    return lanes[0];
}

/* The largest of all; NaN counts only as the first. */
S2C_INLINE float s2c_largest_wide(s2c_wide x)
{
    float lanes[S2C_WIDE];
    s2c_store_wide(lanes, x, S2C_WIDE);
    for (int32_t half = S2C_WIDE / 2; half > 0; half /= 2) {
        for (int32_t i = 0; i < half; i++) {
            const float most = lanes[i];
            const float next = lanes[i + half];
            lanes[i] = s2c_select(next > most, next, most);
        }
    }
    return lanes[0];
}

#endif
