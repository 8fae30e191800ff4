/* An int8 convolution by panels, on a padded and raised copy of the image in scratch. A line of
   tiles runs along the output's width; where that is one pixel, along its height. */
#ifndef S2C_PANEL_CONV_I8_H
#define S2C_PANEL_CONV_I8_H
#include "padded_i8.h"
#include "panels_i8.h"

/* Rows of the covered image that units of one block of columns read, line by line of `tiles`; all, where there are
   several blocks. size: units of a group. */
S2C_INLINE s2c_range s2c_read_rows(s2c_range units, int32_t tiles, int32_t size, s2c_window p)
{
    const s2c_range all = {0, s2c_covered_rows(p)};
    const int32_t reach = (p.kernel_height - 1) * p.dilation_height + 1;
    const s2c_range some = {units.first / tiles * p.stride_height,
                            (units.last - 1) / tiles * p.stride_height + reach};
    return p.output_width > 1 && p.groups == 1 && size == p.output_height * tiles ? some : all;
}

/* units: of image by group by block of columns by line by tile of rows, those that this call computes. */
S2C_INLINE void s2c_panel_conv_i8(int8_t *output, const int8_t *input, const int8_t *addend, int8_t *scratch,
                                  const int8_t *weight, int32_t batch, int32_t columns, int32_t tile_rows,
                                  int32_t tile_columns, s2c_range units, s2c_window p, s2c_result result,
                                  s2c_addend add)
{
    const int32_t row = s2c_covered_columns(p) * p.channels;
    const int32_t size = p.channels / p.groups;
    const int32_t neighbours = p.dilation_width == 1 && p.groups == 1;
    const int32_t down = p.output_width == 1;
    const s2c_source_i8 source = {p.kernel_height,
                                  p.dilation_height * row,
                                  neighbours ? 1 : p.kernel_width,
                                  p.dilation_width * p.channels,
                                  neighbours ? p.kernel_width * size : size,
                                  down ? p.stride_height * row : p.stride_width * p.channels};
    const int32_t panels = (columns + S2C_CHAR_PANEL - 1) / S2C_CHAR_PANEL;
    const s2c_walk_i8 walk = {down ? 1 : p.output_height, p.stride_height * row,
                              down ? p.output_height : p.output_width, p.groups * columns};
    const int32_t tiles = (walk.rows + tile_rows - 1) / tile_rows;
    const int32_t of_group = walk.lines * tiles * ((columns + tile_columns - 1) / tile_columns);
    for (int32_t b = 0; b < batch; b++) {
        const s2c_range of_image = s2c_range_in(units, b, p.groups * of_group);
        if (of_image.first >= of_image.last) {
            continue;
        }
        s2c_pad_raised(scratch, input + b * p.height * p.width * p.channels,
                       s2c_read_rows(of_image, tiles, of_group, p), p);
        for (int32_t g = 0; g < p.groups; g++) {
            const int32_t to = b * p.output_height * p.output_width * walk.width + g * columns;
            s2c_panel_lines_i8(output + to, scratch + g * size, addend + to,
                               weight + g * panels * s2c_panel_bytes(source), g * panels * S2C_CHAR_PANEL,
                               columns, tile_rows, tile_columns, s2c_range_in(of_image, g, of_group), walk,
                               source, result, add);
        }
    }
}

#endif
