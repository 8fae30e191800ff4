/* The maximal error of one scalar kernel over float32 inputs: float_error.py compiles this with KERNEL, the
   kernel's function, KERNEL_FILE, its file, and REFERENCE, a function of double; with PAIRS for one of two
   operands.
   Arguments: step between bit patterns, or between the numbers of random pairs; smallest result whose error
   counts as relative.
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
static double maximum(double a, double b)
{
    return isnan(a) || isnan(b) ? a + b : fmax(a, b);
}
static double minimum(double a, double b)
{
    return isnan(a) || isnan(b) ? a + b : fmin(a, b);
}
static double mish(double x)
{
    return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
}
static double reciprocal(double x)
{
    return 1 / x;
}
static double rsqrt(double x)
{
    return 1 / sqrt(x);
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}
static double silu(double x)
{
    return x / (1 + exp(-x));
}
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}
static double softsign(double x)
{
    return x / (1 + fabs(x));
}

/* So that each is used. */
extern double (*const s2c_references[])(double);
double (*const s2c_references[])(double) = {elu,   gelu,    gelu_tanh, hard_swish, mish,     reciprocal,
                                            rsqrt, sigmoid, sign,      silu,       softplus, softsign};
extern double (*const s2c_pair_references[])(double, double);
double (*const s2c_pair_references[])(double, double) = {maximum, minimum};

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

static int is_subnormal(float x)
{
    return x != 0 && fabsf(x) < 0x1p-126f;
}

#ifdef PAIRS

/* G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t random_bits(uint64_t number)
{
    uint64_t z = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A quarter each: any two floats; exponents that differ by less than 8; a power in or near the range of
   floats; small multiples of 1/2. */
static void pair(uint64_t bits, float *a, float *b)
{
    *a = s2c_float((uint32_t)bits);
    *b = s2c_float((uint32_t)(bits >> 32));
    if (bits % 4 == 1) {
        *b = s2c_float((uint32_t)bits ^ (uint32_t)(bits >> 32 & UINT32_C(0x83ffffff)));
    } else if (bits % 4 == 2) {
        *a = fabsf(*a);
        *b = (float)(((double)(bits >> 32) * 0x1p-31 - 1) * 155 / log2((double)*a));
    } else if (bits % 4 == 3) {
        *a = (float)((int32_t)(bits / 4 % 101) - 50) / 2;
        *b = (float)((int32_t)(bits / 404 % 101) - 50) / 2;
    }
}

/* x, the first operands, y, the results, and what they should be. */
static void measure(uint64_t first, uint64_t step, float *x, float *y, double *wanted)
{
    static float b[BLOCK];
    for (uint64_t i = 0; i < BLOCK; i++) {
        pair(random_bits(first + i * step), &x[i], &b[i]);
        x[i] = is_subnormal(x[i]) ? 1 : x[i];
        b[i] = is_subnormal(b[i]) ? 1 : b[i];
    }
    KERNEL(y, x, b, 1, BLOCK, 1);
    for (int i = 0; i < BLOCK; i++) {
        wanted[i] = REFERENCE((double)x[i], (double)b[i]);
    }
}

#else

static void measure(uint64_t first, uint64_t step, float *x, float *y, double *wanted)
{
    for (uint64_t i = 0; i < BLOCK; i++) {
        const float each = s2c_float((uint32_t)(first + i * step)); /* past the end it begins anew */
        x[i] = is_subnormal(each) ? 0 : each;
    }
    KERNEL(y, x, BLOCK);
    for (int i = 0; i < BLOCK; i++) {
        wanted[i] = REFERENCE((double)x[i]);
    }
}

#endif

int main(int count, char **arguments)
{
    const uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    const double smallest = count > 2 ? strtod(arguments[2], NULL) : 0;
    double ulp = 0, relative = 0, absolute = 0;
    float worst = 0, wrong_input = 0;
    uint64_t wrong = 0;
    for (uint64_t first = 0; first < UINT64_C(1) << 32; first += step * BLOCK) {
        static float x[BLOCK], y[BLOCK];
        static double references[BLOCK];
        measure(first, step, x, y, references);
        for (int i = 0; i < BLOCK; i++) {
            const double wanted = references[i];
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
