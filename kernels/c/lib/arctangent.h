/* The angle of a point: an eighth of a turn is taken off once or twice, so that what is left is atan(t) with
   |t| <= tan(pi/8), where atan(t) = t + t*z*p(z) with z = t*t. The coefficients are from bench/minimax.py. */
#ifndef S2C_ARCTANGENT_H
#define S2C_ARCTANGENT_H
#include "quotient.h"

#define S2C_QUARTER_PI_HIGH 0x1.921fb0p-1f /* 22 bits, so that its product with up to 4 is exact */
#define S2C_QUARTER_PI_LOW 0x1.5110b4p-23f

/* Of (x, y), and of (-x, y) where behind is 1; x and y are not negative, the larger one in 2^-126..2^125. */
S2C_INLINE float s2c_angle(float y, float x, int32_t behind)
{
    const int32_t steep = y > x * 2.41421366f;
    const int32_t middle = y > x * 0.414213568f;
    const float minus_x = -x;
    const float difference = y - x;
    const float sum = y + x;
    const float top_below = s2c_select(middle, difference, y);
    const float bottom_below = s2c_select(middle, sum, x);
    const float top = s2c_select(steep, minus_x, top_below);
    const float bottom = s2c_select(steep, y, bottom_below);
    const float ahead = s2c_quotient(top, bottom);
    const float mirrored = -ahead;
    const float t = s2c_select(behind, mirrored, ahead);
    const int32_t eighths = steep + middle;
    const float k = (float)(eighths + behind * (4 - 2 * eighths));
    const float z = t * t;
    float p = -0.0609005243f;
    p = p * z + 0.105991684f;
    p = p * z + -0.14244391f;
    p = p * z + 0.199985281f;
    p = p * z + -0.333333164f;
    return k * S2C_QUARTER_PI_HIGH + (t + (t * (z * p) + k * S2C_QUARTER_PI_LOW));
}

#endif
