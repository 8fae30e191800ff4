// The functions of normalise.c for one type of values: VALUE, LOAD to float, STORE from it.

// By channel: without slopes what x - origin and its square add up to, else what the slopes that pass the
// clamp, and their products with x - origin, add up to. origin, sum, product: by slot.
static void NAME(add)(int64_t total, int width, int channels, const VALUE *restrict x, const VALUE *restrict y,
                      const VALUE *restrict slope, float low, float high, const float *restrict origin,
                      double *restrict sums, double *restrict products, float *restrict sum,
                      float *restrict product) {
  for (int c = 0; c < channels; c++) sums[c] = products[c] = 0.0;
  for (int64_t start = 0; start < total; start += (int64_t)ROWS * width) {
    const int64_t stop = start + (int64_t)ROWS * width < total ? start + (int64_t)ROWS * width : total;
    for (int j = 0; j < width; j++) sum[j] = product[j] = 0.0f;
    for (int64_t place = start; place < stop; place += width) {
      const int count = stop - place < width ? (int)(stop - place) : width;
      if (slope == NULL) {
        for (int j = 0; j < count; j++) {
          const float value = LOAD(x[place + j]) - origin[j];
          sum[j] += value;
          product[j] += value * value;
        }
      } else {
        for (int j = 0; j < count; j++) {
          const float result = LOAD(y[place + j]), given = LOAD(slope[place + j]);
          const float passed = result > low && result < high ? given : 0.0f;
          sum[j] += passed;
          product[j] += passed * (LOAD(x[place + j]) - origin[j]);
        }
      }
    }
    for (int j = 0; j < width; j++) {
      sums[j % channels] += sum[j];
      products[j % channels] += product[j];
    }
  }
}

void NAME(forward)(int64_t rows, int channels, const VALUE *restrict x, const float *restrict scale,
                   const float *restrict shift, float epsilon, float low, float high, VALUE *restrict y,
                   float *restrict mean, float *restrict variance, double *restrict work) {
  const int width = width_of(channels);
  const int64_t total = rows * channels;
  double *const sums = work, *const squares = work + channels;
  float *const first = (float *)(work + 2 * channels), *const second = first + width;
  float *const middle = second + width;
  // Near to all values, so that small differences between large ones stay exact.
  for (int j = 0; j < width; j++) middle[j] = LOAD(x[j % channels]);
  NAME(add)(total, width, channels, x, NULL, NULL, low, high, middle, sums, squares, first, second);
  for (int c = 0; c < channels; c++) {
    const double away = sums[c] / (double)rows, spread = squares[c] / (double)rows - away * away;
    mean[c] = (float)(middle[c] + away);
    variance[c] = spread < 0.0 ? 0.0f : (float)spread;
  }
  float *const factor = first, *const offset = second;
  for (int j = 0; j < width; j++) {
    const int c = j % channels;
    middle[j] = mean[c];
    factor[j] = scale[c] / sqrtf(variance[c] + epsilon);
    offset[j] = shift[c];
  }
  for (int64_t place = 0; place < total; place += width) {
    const int count = total - place < width ? (int)(total - place) : width;
    for (int j = 0; j < count; j++) {
      float value = (LOAD(x[place + j]) - middle[j]) * factor[j] + offset[j];
      value = value < low ? low : value;
      value = value > high ? high : value;
      y[place + j] = STORE(value);
    }
  }
}

void NAME(backward)(int64_t rows, int channels, const VALUE *restrict slope, const VALUE *restrict x,
                    const VALUE *restrict y, const float *restrict scale, const float *restrict mean,
                    const float *restrict variance, float epsilon, float low, float high,
                    VALUE *restrict x_slope, float *restrict scale_slope, float *restrict shift_slope,
                    double *restrict work) {
  const int width = width_of(channels);
  const int64_t total = rows * channels;
  double *const sums = work, *const products = work + channels;
  float *const first = (float *)(work + 2 * channels), *const second = first + width;
  float *const middle = second + width, *const offset = middle + width;
  for (int j = 0; j < width; j++) middle[j] = mean[j % channels];
  NAME(add)(total, width, channels, x, y, slope, low, high, middle, sums, products, first, second);
  for (int c = 0; c < channels; c++) {
    shift_slope[c] = (float)sums[c];
    scale_slope[c] = (float)(products[c] / sqrt((double)variance[c] + epsilon));
  }
  float *const of_slope = first, *const of_x = second;
  for (int j = 0; j < width; j++) {
    const int c = j % channels;
    const float inverse = 1.0f / sqrtf(variance[c] + epsilon), factor = scale[c] * inverse / (float)rows;
    of_slope[j] = scale[c] * inverse;
    of_x[j] = -factor * scale_slope[c] * inverse;
    offset[j] = -factor * shift_slope[c];
  }
  for (int64_t place = 0; place < total; place += width) {
    const int count = total - place < width ? (int)(total - place) : width;
    for (int j = 0; j < count; j++) {
      const float result = LOAD(y[place + j]), given = LOAD(slope[place + j]);
      const float passed = result > low && result < high ? given : 0.0f;
      const float away = LOAD(x[place + j]) - middle[j];
      x_slope[place + j] = STORE(of_slope[j] * passed + of_x[j] * away + offset[j]);
    }
  }
}
