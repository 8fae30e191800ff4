"""The polynomials of kernels/c/*_f32.c: prints float32 coefficients and the maximal error of each.

Remez' exchange algorithm on a grid (E. W. Cheney, "Introduction to Approximation Theory", chapter 3). The
coefficients become float32 one by one, lowest power first, and what is left is fitted again each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GRID = 20001
ROUNDS = 60
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fit:
    """value(x) = rest(x) + sum of c[k] x**(lowest + k), where the error counts as a share of size(x)."""

    name: str
    low: float
    high: float
    lowest: int
    terms: int
    rest: Function  # what is to be fitted: the value without its exact terms
    size: Function


def erfc(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.vectorize(math.erfc, otypes=[np.float64])(x))


HALF_LN2 = math.log(2.0) / 2.0 + 1e-4
GELU_END = 13.2  # where the tail of the normal distribution leaves float
ERFC_START = 0.47  # up to there erfc is taken as 1 - erf
ERFC_END = 9.3  # where erfc leaves float
QUARTER_PI = math.pi / 4.0
EIGHTH_TANGENT = math.sqrt(2.0) - 1.0


def mills(x: np.ndarray) -> np.ndarray:
    """exp(x*x/2) times the integral of the standard normal density beyond x; from 3 a continued fraction."""
    near = np.minimum(x, 3.0)
    direct = 0.5 * np.exp(near * near / 2) * erfc(near / math.sqrt(2.0))
    far = np.maximum(x, 3.0)
    fraction = far
    for step in range(200, 0, -1):
        fraction = far + step / fraction
    return np.asarray(np.where(x < 3.0, direct, 1.0 / (math.sqrt(2.0 * math.pi) * fraction)))


def gelu_share(u: np.ndarray) -> np.ndarray:
    """mills(a) / (1 - u) for u = 0.3 * a / (1 + 0.3 * a)."""
    return np.asarray(mills(u / (0.3 * (1.0 - u))) / (1.0 - u))


def log2_tail(z: np.ndarray) -> np.ndarray:
    """(log2((1 + s) / (1 - s)) / s - c0 - c1*z) / (z*z) with z = s*s, by Taylor's series."""
    terms = [2.0 / math.log(2.0) / (2 * power + 1) * z ** (power - 2) for power in range(2, 22)]
    return np.asarray(np.sum(terms, axis=0))


def erfc_share(t: np.ndarray) -> np.ndarray:
    """exp(a*a) * erfc(a) / t for t = 1 / (1 + 0.75 * a)."""
    return np.asarray(2.0 * mills(math.sqrt(2.0) * (1.0 / t - 1.0) / 0.75) / t)


def grid_of(fit: Fit) -> np.ndarray:
    """Chebyshev points, without zero, where a relative error has no meaning."""
    angles = np.linspace(0.0, math.pi, GRID)
    grid = (fit.low + fit.high) / 2 - (fit.high - fit.low) / 2 * np.cos(angles)
    return np.asarray(grid[np.abs(grid) > 1e-9])


def extrema(error: np.ndarray, count: int) -> np.ndarray:
    """Indices of `count` alternating peaks of the error; the smaller end goes while there are too many."""
    flips = np.flatnonzero(np.sign(error[1:]) != np.sign(error[:-1])) + 1
    pieces = np.split(np.arange(error.size), flips)
    peaks = [piece[np.argmax(np.abs(error[piece]))] for piece in pieces]
    while len(peaks) > count:
        del peaks[0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1]
    return np.array(peaks)


def remez(grid: np.ndarray, wanted: np.ndarray, size: np.ndarray, powers: list[int]) -> np.ndarray:
    """Coefficients of `powers` that minimise the maximum of |wanted - polynomial| / size."""
    columns = np.stack([grid**power / size for power in powers], axis=1)
    target = wanted / size
    points = np.linspace(0, grid.size - 1, len(powers) + 1).astype(int)
    best, best_error = np.zeros(len(powers)), math.inf
    for _ in range(ROUNDS):
        signs = (-1.0) ** np.arange(points.size)
        system = np.column_stack([columns[points], signs])
        coefficients = np.linalg.solve(system, target[points])[:-1]
        error = target - columns @ coefficients
        if np.abs(error).max() < best_error:
            best, best_error = coefficients, float(np.abs(error).max())
        new = extrema(error, len(powers) + 1)
        if new.size <= len(powers) or np.array_equal(new, points):
            break
        points = new
    return best


def solve(fit: Fit) -> tuple[list[np.float32], float]:
    """The coefficients, lowest power first, and their maximal error before any rounding of the evaluation."""
    grid = grid_of(fit)
    wanted, size = fit.rest(grid), fit.size(grid)
    fixed: list[np.float32] = []
    for index in range(fit.terms):
        powers = list(range(fit.lowest + index, fit.lowest + fit.terms))
        first = np.float32(remez(grid, wanted, size, powers)[0])
        fixed.append(first)
        wanted = wanted - float(first) * grid ** powers[0]
    return fixed, float(np.abs(wanted / size).max())


def odd_fit(name: str, function: Function, high: float, terms: int) -> Fit:
    """function(x) = x + x*z*p(z) with z = x*x up to high."""

    def share(z: np.ndarray) -> np.ndarray:
        return np.asarray(function(np.sqrt(z)) / np.sqrt(z))

    return Fit(
        name,
        low=0.0,
        high=high,
        lowest=0,
        terms=terms,
        rest=lambda z: (share(z) - 1.0) / z,
        size=lambda z: share(z) / z,
    )


FITS = (
    Fit(
        "expm1(r) = r + r*r*p(r)",
        low=-HALF_LN2,
        high=HALF_LN2,
        lowest=2,
        terms=5,
        rest=lambda r: np.expm1(r) - r,
        size=lambda r: np.abs(np.expm1(r)),
    ),
    Fit(
        "log(1 + f) = f - f*f/2 + f*f*f*p(f)",
        low=math.sqrt(0.5) - 1.0,
        high=math.sqrt(2.0) - 1.0,
        lowest=3,
        terms=9,
        rest=lambda f: np.log1p(f) - f + f * f / 2,
        size=lambda f: np.abs(np.log1p(f)),
    ),
    Fit(
        "log(1 + e) = e + e*e*p(e)",
        low=0.0,
        high=1.0,
        lowest=2,
        terms=9,
        rest=lambda e: np.log1p(e) - e,
        size=np.log1p,
    ),
    Fit(
        "erf(x) = 1 - exp(-(x + x*p(x)))",
        low=0.0,
        high=4.0,
        lowest=1,
        terms=10,
        rest=lambda x: -np.log(erfc(x)) - x,
        size=lambda x: (1.0 - erfc(x)) / erfc(x),
    ),
    Fit(
        "gelu(-x) = -x * exp(-x*x/2) * t*p(u), t = 1 / (1 + 0.3 * x), u = 0.3 * x * t",
        low=0.0,
        high=0.3 * GELU_END / (1.0 + 0.3 * GELU_END),
        lowest=0,
        terms=10,
        rest=gelu_share,
        size=gelu_share,
    ),
    Fit(
        "erfc(x) = exp(-x*x) * t*p(t), t = 1 / (1 + 0.75 * x)",
        low=1.0 / (1.0 + 0.75 * ERFC_END),
        high=1.0 / (1.0 + 0.75 * ERFC_START),
        lowest=0,
        terms=11,
        rest=erfc_share,
        size=erfc_share,
    ),
    Fit(
        "erf(x) = x*q(z), z = x*x",
        low=0.0,
        high=ERFC_START**2,
        lowest=0,
        terms=5,
        rest=lambda z: (1.0 - erfc(np.sqrt(z))) / np.sqrt(z),
        size=np.ones_like,
    ),
    Fit(
        "exp2(r) = 1 + r*p(r)",
        low=-0.501,
        high=0.501,
        lowest=1,
        terms=6,
        rest=lambda r: np.exp2(r) - 1.0,
        size=np.exp2,
    ),
    Fit(
        "log2((1 + s) / (1 - s)) = s * (c0 + c1*z + z*z*p(z)), z = s*s",
        low=0.0,
        high=EIGHTH_TANGENT**4 + 1e-5,
        lowest=0,
        terms=4,
        rest=log2_tail,
        size=lambda z: 2.0 / math.log(2.0) / (z * z),
    ),
    odd_fit("sin(r) = r + r*z*p(z), z = r*r", np.sin, high=QUARTER_PI**2 + 1e-4, terms=4),
    Fit(
        "cos(r) = 1 - z/2 + z*z*p(z), z = r*r",
        low=0.0,
        high=QUARTER_PI**2 + 1e-4,
        lowest=0,
        terms=4,
        rest=lambda z: (np.cos(np.sqrt(z)) - 1.0 + z / 2.0) / (z * z),
        size=lambda z: np.cos(np.sqrt(z)) / (z * z),
    ),
    Fit(
        "sinh(r) = r + r*z*p(z), z = r*r",
        low=0.0,
        high=HALF_LN2**2,
        lowest=0,
        terms=3,
        rest=lambda z: (np.sinh(np.sqrt(z)) / np.sqrt(z) - 1.0) / z,
        size=lambda z: 1.0 / z,
    ),
    Fit(
        "cosh(r) = 1 + z*p(z), z = r*r",
        low=0.0,
        high=HALF_LN2**2,
        lowest=0,
        terms=3,
        rest=lambda z: (np.cosh(np.sqrt(z)) - 1.0) / z,
        size=lambda z: 1.0 / z,
    ),
    odd_fit("asin(a) = a + a*z*p(z), z = a*a", np.arcsin, high=0.25, terms=6),
    odd_fit("atan(t) = t + t*z*p(z), z = t*t", np.arctan, high=EIGHTH_TANGENT**2 + 1e-5, terms=5),
)


def main() -> None:
    for fit in FITS:
        coefficients, error = solve(fit)
        print(f"{fit.name} on [{fit.low:.4f}, {fit.high:.4f}]: error {error:.2e} = 2**{math.log2(error):.1f}")
        for power, value in enumerate(coefficients):
            print(f"  {power}: {float(value):.9g}f")


if __name__ == "__main__":
    main()
