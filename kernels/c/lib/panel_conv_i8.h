/* An int8 convolution by panels, on a padded and raised copy of the image in scratch. A line of
   tiles runs along the output's width; where that is one pixel, along its height. */
#ifndef S2C_PANEL_CONV_I8_H
#define S2C_PANEL_CONV_I8_H
#include "padded_i8.h"
#include "panels_i8.h"

S2C_INLINE void s2c_panel_conv_i8(int8_t *output, const int8_t *input, const int8_t *addend, int8_t *scratch,
                                  const int8_t *weight, int32_t batch, int32_t columns, int32_t tile_rows,
                                  int32_t tile_columns, s2c_window p, s2c_result result, s2c_addend add)
{
    const int32_t covered = s2c_covered_columns(p);
    const int32_t row = covered * p.channels;
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
    const int32_t width = p.groups * columns;
    for (int32_t b = 0; b < batch; b++) {
        const int8_t *image = input + b * p.height * p.width * p.channels;
        s2c_pad_raised(scratch, image, p);
        for (int32_t g = 0; g < p.groups; g++) {
            const int32_t to = b * p.output_height * p.output_width * width + g * columns;
            s2c_panel_lines_i8(output + to, scratch + g * size, addend + to,
                               weight + g * panels * s2c_panel_bytes(source), g * panels * S2C_CHAR_PANEL,
                               width, down ? 1 : p.output_height, p.stride_height * row,
                               down ? p.output_height : p.output_width, columns, tile_rows, tile_columns,
                               source, result, add);
        }
    }
}

#endif
