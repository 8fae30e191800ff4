/* The part of an int8 image that a window covers, from -pad_top and -pad_left on, copied with its padding filled in and
   raised where dot products want that. */
#ifndef S2C_PADDED_I8_H
#define S2C_PADDED_I8_H
#include "patch_i8.h"
#include "range.h"
#include "vector_i8.h"

#define S2C_RAISE (S2C_RAISED ? -128 : 0) /* xor with it adds 128 to unsigned bytes */

S2C_INLINE int32_t s2c_covered_rows(s2c_window p)
{
    return (p.output_height - 1) * p.stride_height + (p.kernel_height - 1) * p.dilation_height + 1;
}

S2C_INLINE int32_t s2c_covered_columns(s2c_window p)
{
    return (p.output_width - 1) * p.stride_width + (p.kernel_width - 1) * p.dilation_width + 1;
}

S2C_INLINE void s2c_raise_bytes(int8_t *restrict to, const int8_t *restrict from, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)(from[i] ^ S2C_RAISE);
    }
}

/* The rows first .. last of it. */
S2C_INLINE void s2c_pad_raised(int8_t *restrict to, const int8_t *restrict image, s2c_range rows,
                               s2c_window p)
{
    const int32_t covered = s2c_covered_columns(p);
    const int32_t left = p.pad_left < covered ? p.pad_left : covered;
    const int32_t room = covered - left;
    const int32_t inside = room < p.width ? room : p.width;
    const int32_t padding = (int8_t)(p.value ^ S2C_RAISE);
    for (int32_t y = rows.first; y < rows.last; y++) {
        const int32_t row = y - p.pad_top;
        int8_t *line = to + y * covered * p.channels;
        if (row < 0 || row >= p.height) {
            s2c_fill(line, padding, covered * p.channels);
            continue;
        }
        s2c_fill(line, padding, left * p.channels);
        line += left * p.channels;
        s2c_raise_bytes(line, image + row * p.width * p.channels, inside * p.channels);
        s2c_fill(line + inside * p.channels, padding, (room - inside) * p.channels);
    }
}

#endif
