// The functions of normalise.c for one type of values: VALUE, LOAD to float, STORE from it.

// By channel: what x - origin and its square add up to. origin, sum, square: by slot.
static void NAME(add_values)(struct rows rows, const VALUE *restrict x, const float *restrict origin,
                             double *restrict sums, double *restrict squares, float *restrict sum,
                             float *restrict square)
{
    clear(rows, sums, squares);
    for (int64_t start = 0; start < rows.total; start += rows.block) {
        const int64_t stop = least(start + rows.block, rows.total);
        for (int j = 0; j < rows.width; j++) {
            sum[j] = square[j] = 0.0f;
        }
        for (int64_t place = start; place < stop; place += rows.width) {
            const int count = (int)least(stop - place, rows.width);
            for (int j = 0; j < count; j++) {
                const float value = LOAD(x[place + j]) - origin[j];
                sum[j] += value;
                square[j] += value * value;
            }
        }
        gather(rows, sums, squares, sum, square);
    }
}

// By channel: what the slopes that pass the clamp, and their products with x - origin, add up to.
static void NAME(add_slopes)(struct rows rows, const VALUE *restrict slope, const VALUE *restrict x,
                             const VALUE *restrict y, float low, float high, const float *restrict origin,
                             double *restrict sums, double *restrict products, float *restrict sum,
                             float *restrict product)
{
    clear(rows, sums, products);
    for (int64_t start = 0; start < rows.total; start += rows.block) {
        const int64_t stop = least(start + rows.block, rows.total);
        for (int j = 0; j < rows.width; j++) {
            sum[j] = product[j] = 0.0f;
        }
        for (int64_t place = start; place < stop; place += rows.width) {
            const int count = (int)least(stop - place, rows.width);
            for (int j = 0; j < count; j++) {
                const float result = LOAD(y[place + j]), given = LOAD(slope[place + j]);
                const float passed = result > low && result < high ? given : 0.0f;
                sum[j] += passed;
                product[j] += passed * (LOAD(x[place + j]) - origin[j]);
            }
        }
        gather(rows, sums, products, sum, product);
    }
}

void NAME(forward)(int64_t count, int channels, const VALUE *restrict x, const float *restrict scale,
                   const float *restrict shift, float epsilon, float low, float high, VALUE *restrict y,
                   float *restrict mean, float *restrict variance, double *restrict work)
{
    const struct rows rows = make_rows(count, channels);
    double *const sums = work, *const squares = work + channels;
    float *const factor = (float *)(work + 2 * channels), *const offset = factor + rows.width;
    float *const middle = offset + rows.width;
    // Most often near to all values, so that small differences between large ones keep their bits.
    for (int j = 0; j < rows.width; j++) {
        middle[j] = LOAD(x[j % channels]);
    }
    NAME(add_values)(rows, x, middle, sums, squares, factor, offset);
    for (int c = 0; c < channels; c++) {
        const double away = sums[c] / (double)count, spread = squares[c] / (double)count - away * away;
        mean[c] = (float)(middle[c] + away);
        variance[c] = spread < 0.0 ? 0.0f : (float)spread;
    }
    for (int j = 0; j < rows.width; j++) {
        const int c = j % channels;
        middle[j] = mean[c];
        factor[j] = scale[c] / sqrtf(variance[c] + epsilon);
        offset[j] = shift[c];
    }
    for (int64_t place = 0; place < rows.total; place += rows.width) {
        const int here = (int)least(rows.total - place, rows.width);
        for (int j = 0; j < here; j++) {
            float value = (LOAD(x[place + j]) - middle[j]) * factor[j] + offset[j];
            value = value < low ? low : value;
            value = value > high ? high : value;
            y[place + j] = STORE(value);
        }
    }
}

void NAME(backward)(int64_t count, int channels, const VALUE *restrict slope, const VALUE *restrict x,
                    const VALUE *restrict y, const float *restrict scale, const float *restrict mean,
                    const float *restrict variance, float epsilon, float low, float high,
                    VALUE *restrict x_slope, float *restrict scale_slope, float *restrict shift_slope,
                    double *restrict work)
{
    const struct rows rows = make_rows(count, channels);
    double *const sums = work, *const products = work + channels;
    float *const of_slope = (float *)(work + 2 * channels), *const of_x = of_slope + rows.width;
    float *const middle = of_x + rows.width, *const offset = middle + rows.width;
    // y is rounded: so a bound in it is, too.
    low = LOAD(STORE(low));
    high = LOAD(STORE(high));
    for (int j = 0; j < rows.width; j++) {
        middle[j] = mean[j % channels];
    }
    NAME(add_slopes)(rows, slope, x, y, low, high, middle, sums, products, of_slope, of_x);
    for (int c = 0; c < channels; c++) {
        shift_slope[c] = (float)sums[c];
        scale_slope[c] = (float)(products[c] / sqrt((double)variance[c] + epsilon));
    }
    for (int j = 0; j < rows.width; j++) {
        const int c = j % channels;
        const float inverse = 1.0f / sqrtf(variance[c] + epsilon), part = scale[c] * inverse / (float)count;
        of_slope[j] = scale[c] * inverse;
        of_x[j] = -part * scale_slope[c] * inverse;
        offset[j] = -part * shift_slope[c];
    }
    for (int64_t place = 0; place < rows.total; place += rows.width) {
        const int here = (int)least(rows.total - place, rows.width);
        for (int j = 0; j < here; j++) {
            const float result = LOAD(y[place + j]), given = LOAD(slope[place + j]);
            const float passed = result > low && result < high ? given : 0.0f;
            const float away = LOAD(x[place + j]) - middle[j];
            x_slope[place + j] = STORE(of_slope[j] * passed + of_x[j] * away + offset[j]);
        }
    }
}
