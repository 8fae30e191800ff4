/* The maximal error of one scalar kernel over float32 inputs: float_error.py compiles this with KERNEL, the
   kernel's function, KERNEL_FILE, its file, and REFERENCE, a function of double.
   Arguments: step between bit patterns, smallest result whose error counts as relative.
   Prints: ulp relative absolute worst_input wrong wrong_input. */
#include KERNEL_FILE
#include "lib/bits.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 4096

static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}
static double gelu(double x)
{
    return 0.5 * x * erfc(-x * sqrt(0.5));
}
static double gelu_tanh(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}
static double hard_swish(double x)
{
    return x * fmin(fmax(x + 3, 0), 6) / 6;
}
static double reciprocal(double x)
{
    return 1 / x;
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double silu(double x)
{
    return x / (1 + exp(-x));
}
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* So that each is used. */
extern double (*const s2c_references[])(double);
double (*const s2c_references[])(double) = {elu,        gelu,    gelu_tanh, hard_swish,
                                            reciprocal, sigmoid, silu,      softplus};

/* Where the result is no normal finite float, or undefined: is y what it should be? */
static int is_right(float y, double wanted)
{
    if (isnan(wanted) || isnan(y)) {
        return isnan(wanted) && isnan(y);
    }
    if (fabs(wanted) < 0x1p-126) {
        return fabsf(y) <= 0x1p-126f;
    }
    return y == (float)wanted || fabs(wanted) > 0x1.ffffep127;
}

int main(int count, char **arguments)
{
    const uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    const double smallest = count > 2 ? strtod(arguments[2], NULL) : 0;
    double ulp = 0, relative = 0, absolute = 0;
    float worst = 0, wrong_input = 0;
    uint64_t wrong = 0;
    for (uint64_t first = 0; first < UINT64_C(1) << 32; first += step * BLOCK) {
        static float x[BLOCK], y[BLOCK];
        for (uint64_t i = 0; i < BLOCK; i++) {
            x[i] = s2c_float((uint32_t)(first + i * step)); /* past the end it begins anew */
        }
        KERNEL(y, x, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            if (x[i] != 0 && fabsf(x[i]) < 0x1p-126f) {
                continue; /* subnormal */
            }
            const double wanted = REFERENCE((double)x[i]);
            if (!(fabs(wanted) >= 0x1p-126 && fabs(wanted) < 0x1p128 && isfinite(y[i]))) {
                if (!is_right(y[i], wanted)) {
                    wrong++;
                    wrong_input = x[i];
                }
                continue;
            }
            const double error = fabs(y[i] - wanted);
            if (fabs(wanted) < smallest) {
                absolute = fmax(absolute, error);
                continue;
            }
            if (error > relative * fabs(wanted)) {
                relative = error / fabs(wanted);
            }
            if (error * 0x1p24 <= ulp * fabs(wanted)) {
                continue; /* a unit in the last place is more than 2^-24 of the value */
            }
            int exponent;
            frexp(wanted, &exponent);
            if (ldexp(error, 24 - exponent) > ulp) {
                ulp = ldexp(error, 24 - exponent);
                worst = x[i];
            }
        }
    }
    printf("%.2f %.1e %.1e %.9g %llu %.9g\n", ulp, relative, absolute, (double)worst,
           (unsigned long long)wrong, (double)wrong_input);
    return wrong != 0;
}
