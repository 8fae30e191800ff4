// Convolutions of channels-last images of bfloat16, with sums in float32, for training: results, and slopes
// (gradients) of the input and of the weights.
//
// Images are copied with their padding, one at a time, so that no loop asks where an edge is. Sums have a
// fixed order.

#include "convolve.h"

// As convolve.py has it: images [images, height, width, channels], results [images, rows, columns, outputs].
struct shape {
    int32_t images, height, width, channels;
    int32_t rows, columns, outputs;
    int32_t kernel_height, kernel_width, stride_height, stride_width;
    int32_t dilation_height, dilation_width, top, left;
};

// An image with zeros around it, and behind its channels where these fill no unit.
struct padded {
    int height, width, channels; // of the image
    int rows, columns, depth;    // with padding
    int top, left;
};

static int64_t padded_size(struct padded padded)
{
    return (int64_t)padded.rows * padded.columns * padded.depth;
}

// to: [rows, columns, depth], zeros at first.
static void pad(struct padded padded, const uint16_t *restrict image, uint16_t *restrict to)
{
    const int columns = most(0, least(padded.width, padded.columns - padded.left));
    for (int row = 0; row < least(padded.height, padded.rows - padded.top); row++) {
        const uint16_t *from = image + (int64_t)row * padded.width * padded.channels;
        uint16_t *at = to + ((int64_t)(row + padded.top) * padded.columns + padded.left) * padded.depth;
        if (padded.channels == padded.depth) {
            memcpy(at, from, sizeof *at * (size_t)columns * (size_t)padded.depth);
            continue;
        }
        for (int c = 0; c < padded.channels; c++) {
            for (int column = 0; column < columns; column++) {
                at[column * padded.depth + c] = from[column * padded.channels + c];
            }
        }
    }
}

static int quads_of(int inputs)
{
    return round_up(inputs, UNIT) / UNIT;
}

// weight of result o, tap t, value i at weight[o * of_output + t * of_tap + i * of_input], to
// [vectors that are computed side by side][tap][quad][vector][lane].
static void pack(int outputs, int taps, int inputs, const float *weight, int64_t of_output, int64_t of_tap,
                 int64_t of_input, uint32_t *to)
{
    for (int done = 0, vectors; done < outputs; done += vectors * UNIT) {
        vectors = next_vectors(outputs - done);
        for (int t = 0; t < taps; t++) {
            for (int quad = 0; quad < quads_of(inputs); quad++) {
                for (int lane = 0; lane < vectors * LANES; lane++) {
                    const int o = done + lane / 2, i = quad * UNIT + lane % 2 * 2;
                    const float *const at = weight + o * of_output + t * of_tap + i * of_input;
                    const uint32_t low = o < outputs && i < inputs ? to_bf16(at[0]) : 0;
                    const uint32_t high = o < outputs && i + 1 < inputs ? to_bf16(at[of_input]) : 0;
                    *to++ = low | high << 16;
                }
            }
        }
    }
}

static int64_t packed_size(int outputs, int taps, int inputs)
{
    return (int64_t)round_up(outputs, UNIT) / UNIT * LANES * taps * quads_of(inputs);
}

static int tap_count(const struct shape *shape)
{
    return shape->kernel_height * shape->kernel_width;
}

// What the results of a convolution read of an image.
static struct padded padded_input(const struct shape *shape, int unit)
{
    return (struct padded){
        .height = shape->height,
        .width = shape->width,
        .channels = shape->channels,
        .rows = (shape->rows - 1) * shape->stride_height +
                (shape->kernel_height - 1) * shape->dilation_height + 1,
        .columns = (shape->columns - 1) * shape->stride_width +
                   (shape->kernel_width - 1) * shape->dilation_width + 1,
        .depth = round_up(shape->channels, unit),
        .top = shape->top,
        .left = shape->left,
    };
}

// Input rows phase, phase + stride .. each read slopes through the taps whose `distance` is a multiple of
// the stride.
static int distance(int phase, int before, int tap, int dilation)
{
    return phase + before - tap * dilation;
}

// What of the slopes of results is read along one axis: how far before the first, and how many in all.
static void reach(int extent, int taps, int stride, int dilation, int before, int *ahead, int *count)
{
    int first = 0, last = 0;
    for (int phase = 0; phase < stride; phase++) {
        for (int tap = 0; tap < taps; tap++) {
            const int away = distance(phase, before, tap, dilation);
            if (away % stride == 0 && phase < extent) {
                first = least(first, away / stride);
                last = most(last, away / stride + (extent - 1 - phase) / stride);
            }
        }
    }
    *ahead = -first;
    *count = last - first + 1;
}

static struct padded padded_slope(const struct shape *shape)
{
    struct padded padded = {
        .height = shape->rows,
        .width = shape->columns,
        .channels = shape->outputs,
        .depth = round_up(shape->outputs, UNIT),
    };
    reach(shape->height, shape->kernel_height, shape->stride_height, shape->dilation_height, shape->top,
          &padded.top, &padded.rows);
    reach(shape->width, shape->kernel_width, shape->stride_width, shape->dilation_width, shape->left,
          &padded.left, &padded.columns);
    return padded;
}

// Taps that are neighbours read neighbouring values: they are one run. How many taps each run has.
static int run_length(const struct shape *shape)
{
    return shape->dilation_width == 1 ? shape->kernel_width : 1;
}

// Vectors of a run.
static int run_vectors(const struct shape *shape)
{
    return (run_length(shape) * shape->channels + LANES - 1) / LANES;
}

static int64_t sums_size(const struct shape *shape)
{
    const int runs = tap_count(shape) / run_length(shape);
    return (int64_t)runs * round_up(shape->outputs, UNIT) * run_vectors(shape) * LANES;
}

static int64_t slopes_size(const struct shape *shape)
{
    return (int64_t)shape->rows * ((shape->columns + 1) / 2) * round_up(shape->outputs, UNIT);
}

// Of s2c_convolve_weight_slope: the last vector of a run may reach behind the image.
static int64_t weight_work(const struct shape *shape)
{
    return sums_size(shape) + slopes_size(shape) + padded_size(padded_input(shape, 1)) + LANES;
}

// How many words of working memory any of the functions below wants.
int64_t s2c_convolve_work(const struct shape *shape)
{
    const int taps = tap_count(shape);
    const int64_t forward =
        packed_size(shape->outputs, taps, shape->channels) + padded_size(padded_input(shape, UNIT)) / 2;
    const int64_t input =
        packed_size(shape->channels, taps, shape->outputs) + padded_size(padded_slope(shape)) / 2;
    const int64_t weight = weight_work(shape), larger = forward > input ? forward : input;
    return (larger > weight ? larger : weight) + taps * (int64_t)(sizeof(struct tap) / sizeof(uint32_t));
}

// Working memory of a convolution of so many inputs.
struct work {
    struct tap *taps;
    uint32_t *weights;
    uint16_t *image; // zeros
};

static struct work allot(uint32_t *memory, const struct shape *shape, int outputs, int inputs,
                         struct padded padded)
{
    const int taps = tap_count(shape);
    struct work work = {.taps = (struct tap *)memory};
    work.weights = (uint32_t *)(work.taps + taps);
    work.image = (uint16_t *)(work.weights + packed_size(outputs, taps, inputs));
    memset(work.image, 0, sizeof *work.image * (size_t)padded_size(padded));
    return work;
}

// weight: [outputs, kernel_height, kernel_width, channels]. bias: [outputs] or NULL.
void s2c_convolve(const struct shape *shape, const uint16_t *restrict x, const float *restrict weight,
                  const float *restrict bias, uint16_t *restrict y, uint32_t *restrict memory)
{
    const int count = tap_count(shape), channels = shape->channels, outputs = shape->outputs;
    const struct padded padded = padded_input(shape, UNIT);
    const struct work work = allot(memory, shape, outputs, channels, padded);
    const int64_t row = (int64_t)padded.columns * padded.depth;
    pack(outputs, count, channels, weight, (int64_t)count * channels, channels, 1, work.weights);
    for (int t = 0; t < count; t++) {
        const int down = t / shape->kernel_width * shape->dilation_height;
        const int right = t % shape->kernel_width * shape->dilation_width;
        work.taps[t] = (struct tap){down * row + (int64_t)right * padded.depth, t};
    }
    const struct grid grid = {
        .rows = shape->rows,
        .columns = shape->columns,
        .outputs = outputs,
        .quads = padded.depth / UNIT,
        .taps = count,
        .from_row = row * shape->stride_height,
        .from_column = (int64_t)padded.depth * shape->stride_width,
        .to_row = (int64_t)shape->columns * outputs,
        .to_column = outputs,
    };
    for (int n = 0; n < shape->images; n++) {
        pad(padded, x + (int64_t)n * shape->height * shape->width * channels, work.image);
        convolve(&grid, work.taps, count, work.weights, bias, work.image, y + n * shape->rows * grid.to_row);
    }
}

// The taps through which the input's rows and columns of one phase read slopes, and how many they are.
static int taps_of(const struct shape *shape, struct padded padded, int down, int right, struct tap *taps)
{
    int found = 0;
    for (int t = 0; t < tap_count(shape); t++) {
        const int up = distance(down, shape->top, t / shape->kernel_width, shape->dilation_height);
        const int back = distance(right, shape->left, t % shape->kernel_width, shape->dilation_width);
        if (up % shape->stride_height == 0 && back % shape->stride_width == 0) {
            const int64_t row = up / shape->stride_height + padded.top;
            const int64_t column = back / shape->stride_width + padded.left;
            taps[found++] = (struct tap){(row * padded.columns + column) * padded.depth, t};
        }
    }
    return found;
}

// slope: of the results; x_slope: like x. With strides, the input's rows and columns that are a stride apart
// are a convolution of the slopes each.
void s2c_convolve_input_slope(const struct shape *shape, const uint16_t *restrict slope,
                              const float *restrict weight, uint16_t *restrict x_slope,
                              uint32_t *restrict memory)
{
    const int count = tap_count(shape), channels = shape->channels, outputs = shape->outputs;
    const struct padded padded = padded_slope(shape);
    const struct work work = allot(memory, shape, channels, outputs, padded);
    const int64_t width = (int64_t)shape->width * channels;
    pack(channels, count, outputs, weight, 1, channels, (int64_t)count * channels, work.weights);
    for (int n = 0; n < shape->images; n++) {
        pad(padded, slope + (int64_t)n * shape->rows * shape->columns * outputs, work.image);
        for (int phase = 0; phase < shape->stride_height * shape->stride_width; phase++) {
            const int down = phase / shape->stride_width, right = phase % shape->stride_width;
            const struct grid grid = {
                .rows = (shape->height - down + shape->stride_height - 1) / shape->stride_height,
                .columns = (shape->width - right + shape->stride_width - 1) / shape->stride_width,
                .outputs = channels,
                .quads = padded.depth / UNIT,
                .taps = taps_of(shape, padded, down, right, work.taps),
                .from_row = (int64_t)padded.columns * padded.depth,
                .from_column = padded.depth,
                .to_row = width * shape->stride_height,
                .to_column = (int64_t)channels * shape->stride_width,
            };
            uint16_t *const to = x_slope + (n * shape->height + down) * width + (int64_t)right * channels;
            convolve(&grid, work.taps, count, work.weights, NULL, work.image, to);
        }
    }
}

// count values of each, as pairs; NULL stands for zeros.
static void join(int64_t count, const uint16_t *restrict low, const uint16_t *restrict high,
                 uint32_t *restrict to)
{
    if (low && high) {
        for (int64_t k = 0; k < count; k++) {
            to[k] = low[k] | (uint32_t)high[k] << 16;
        }
    } else {
        for (int64_t k = 0; k < count; k++) {
            to[k] = low ? low[k] : (uint32_t)high[k] << 16;
        }
    }
}

// Each value of a padded image and the one `apart` columns further on, as pairs [rows, columns, depth]. Where
// columns are odd, the last one's second value meets a slope of zero: it has to be finite.
static void pair_up(struct padded padded, int apart, const uint16_t *restrict image, uint32_t *restrict to)
{
    const int channels = padded.channels;
    const int end = least(padded.width, padded.columns - padded.left), whole = most(0, padded.width - apart);
    for (int row = 0; row < least(padded.height, padded.rows - padded.top); row++) {
        const uint16_t *const from = image + (int64_t)row * padded.width * channels;
        uint32_t *const line =
            to + ((int64_t)(row + padded.top) * padded.columns + padded.left) * padded.depth;
        for (int column = most(-apart, -padded.left); column < least(0, end); column++) {
            if (column + apart < padded.width) {
                join(channels, NULL, from + (column + apart) * channels, line + column * padded.depth);
            }
        }
        const int both = most(0, least(end, whole));
        join((int64_t)both * channels, from, from + apart * channels, line);
        for (int column = whole; column < end; column++) {
            join(channels, from + column * channels, NULL, line + column * padded.depth);
        }
    }
}

// Two neighbours of a row each, [rows, pairs of columns, outputs up to a whole unit].
static void pair_slopes(const struct shape *shape, const uint16_t *restrict slope, uint32_t *restrict to)
{
    const int outputs = shape->outputs, depth = round_up(outputs, UNIT);
    for (int row = 0; row < shape->rows; row++) {
        for (int column = 0; column < shape->columns; column += 2, to += depth) {
            const uint16_t *const low = slope + ((int64_t)row * shape->columns + column) * outputs;
            const uint16_t *const high = column + 1 < shape->columns ? low + outputs : NULL;
            if (outputs % LANES || !high) {
                join(outputs, low, high, to);
                continue;
            }
            for (int o = 0; o < outputs; o += LANES) {
                join(LANES, low + o, high + o, to + o);
            }
        }
    }
}

// weight_slope: like weight.
void s2c_convolve_weight_slope(const struct shape *shape, const uint16_t *restrict x,
                               const uint16_t *restrict slope, float *restrict weight_slope,
                               uint32_t *restrict work)
{
    const struct padded padded = padded_input(shape, 1);
    const int length = run_length(shape), vectors = run_vectors(shape);
    const int runs = tap_count(shape) / length, in_row = shape->kernel_width / length;
    const int outputs = round_up(shape->outputs, UNIT), values = length * shape->channels;
    float *const sums = (float *)work; // [run, output, vector of its values]
    uint32_t *const slopes = work + sums_size(shape), *const image = slopes + slopes_size(shape);
    const int64_t of_output = (int64_t)vectors * LANES, of_run = of_output * outputs;
    const int64_t line = (int64_t)padded.columns * padded.depth;
    const struct rows rows = {
        .count = shape->rows,
        .pairs = (shape->columns + 1) / 2,
        .x_row = line * shape->stride_height,
        .x_pair = 2 * (int64_t)padded.depth * shape->stride_width,
        .slope_pair = outputs,
    };
    memset(work, 0, sizeof *work * (size_t)weight_work(shape));
    for (int n = 0; n < shape->images; n++) {
        pair_up(padded, shape->stride_width, x + (int64_t)n * shape->height * shape->width * shape->channels,
                image);
        pair_slopes(shape, slope + (int64_t)n * shape->rows * shape->columns * shape->outputs, slopes);
        for (int run = 0; run < runs; run++) {
            const int64_t right = run % in_row * shape->dilation_width;
            const uint32_t *const from =
                image + run / in_row * shape->dilation_height * line + right * padded.depth;
            all_weight_tiles(&rows, vectors, from, slopes, outputs, sums + run * of_run, of_output);
        }
    }
    for (int o = 0; o < shape->outputs; o++) {
        for (int run = 0; run < runs; run++) {
            memcpy(weight_slope, sums + run * of_run + o * of_output, sizeof *sums * (size_t)values);
            weight_slope += values;
        }
    }
}
