"""Row-wise mixed norms on the CPU: Numba versions of `mtlreg.kernels.generic.rows`, same names and results.

`shrink_row` and `row_norm` work on one row and allocate nothing, for use inside other kernels. All scalars
are float64, whatever the dtype of the array, so that a kernel has two specialisations only: float32 and
float64.
"""

import math

import numpy as np
from numba import njit

from mtlreg.kernels.generic import rows as generic
from mtlreg.kernels.generic.rows import row_strengths

__all__ = [
    "row_alpha_max",
    "row_feasible_scale",
    "row_norm",
    "row_norms",
    "row_strengths",
    "row_violation",
    "shrink_row",
    "shrink_rows",
]

MAX_STEPS = generic.MAX_STEPS
TINY = generic.TINY
EPS = float(np.finfo(np.float64).eps)
SMALLEST = 5e-324
# A sum of squares inside these bounds has neither overflowed nor lost a term that matters.
SAFE_LOW, SAFE_HIGH = 1e-280, 1e300
NEAR = 1e-3  # of the longest row, below which rounding cannot reach it

_dual_exponent = njit(cache=True)(generic.dual_exponent)
_newton_exponents = njit(cache=True)(generic.newton_exponents)
_newton_tolerance = njit(cache=True)(generic.newton_tolerance)


def row_norms(V, q):
    """Norms of the rows, ``||V_j||_q``; see `mtlreg.kernels.generic.rows.row_norms`."""
    norms = np.empty(V.shape[0], dtype=V.dtype)
    _norms(_plain(V), 0.0, float(q), False, norms)
    return norms


def shrink_rows(V, entry, row, q, positive=False):
    """Prox of ``entry ||V_j||_1 + row ||V_j||_q``; see `mtlreg.kernels.generic.rows.shrink_rows`."""
    U = np.array(V, order="C")
    _shrink(U, float(entry), float(row), float(q), bool(positive))
    return U


def row_violation(V, entry, row, q, positive=False):
    """Excess ``max(0, ||soft(V_j, entry)||_{q*} - row)``; see `mtlreg.kernels.generic.rows.row_violation`."""
    norms = np.empty(V.shape[0], dtype=V.dtype)
    _norms(_plain(V), float(entry), generic.dual_exponent(float(q)), bool(positive), norms)
    return np.maximum(norms - min(float(row), float(np.finfo(V.dtype).max)), 0.0)


def row_feasible_scale(V, entry, row, q, positive=False):
    """Largest feasible scale in [0, 1]; see `mtlreg.kernels.generic.rows.row_feasible_scale`."""
    eps = float(np.finfo(V.dtype).eps)
    row = min(float(row), float(np.finfo(V.dtype).max))
    return _feasible_scale(_plain(V), float(entry), row, generic.dual_exponent(float(q)), bool(positive), eps)


def row_alpha_max(V, entry_ratio, q, positive=False):
    """Smallest feasible strength; see `mtlreg.kernels.generic.rows.row_alpha_max`."""
    return _alpha_max(_plain(V), float(entry_ratio), generic.dual_exponent(float(q)), bool(positive))


def _plain(V):
    """V as the one kind of array kernels are compiled for: contiguous, aligned, writable, no subclass."""
    return np.require(V, requirements="CAWE")


@njit(cache=True)
def row_norm(v, q):
    """Norm ``||v||_q`` of one row."""
    return _soft_norm(v, 0.0, q, False)


@njit(cache=True)
def shrink_row(v, entry, row, q, positive):
    """Prox of ``entry ||v||_1 + row ||v||_q`` (and v >= 0 if ``positive``) on one row, in place.

    Parameters
    ----------
    v : array of shape (C,), overwritten
    entry, row, q : float64
    positive : bool
    """
    if q == 1.0 or v.size == 1:  # on a single entry every norm is the absolute value
        entry, row = entry + row, 0.0
    for k in range(v.size):
        v[k] = math.copysign(_soft(v[k], entry, positive), v[k])
    if row > 0.0:
        if q == 2.0:
            _shrink_euclidean(v, row)
        elif q == math.inf:
            _clip_at_ceiling(v, row)
        else:
            _shrink_general(v, row, q)


@njit(cache=True, fastmath={"reassoc"})
def _norms(V, entry, q, positive, out):
    plain = q == 2.0 and entry == 0.0 and not positive
    for j in range(V.shape[0]):
        total = 0.0
        for k in range(V.shape[1]):  # without a call, which short rows and those of zeros would feel
            a = np.float64(V[j, k])
            total += a * a
        if plain and SAFE_LOW < total < SAFE_HIGH:
            out[j] = math.sqrt(total)
            continue
        if total == 0.0:  # or too small for its square
            for k in range(V.shape[1]):
                total += abs(V[j, k])
        out[j] = 0.0 if total == 0.0 else _soft_norm(V[j], entry, q, positive)


@njit(cache=True)
def _shrink(U, entry, row, q, positive):
    for j in range(U.shape[0]):
        shrink_row(U[j], entry, row, q, positive)


@njit(cache=True)
def _soft(x, entry, positive):
    """Absolute value after the soft threshold; NaN stays NaN."""
    a = (x if positive else abs(x)) - entry
    return 0.0 if a < 0.0 else a


@njit(cache=True, fastmath={"reassoc"})
def _square_sum(v):
    """Sum of squares, added in whatever order is fastest."""
    total = 0.0
    for k in range(v.size):
        a = np.float64(v[k])
        total += a * a
    return total


@njit(cache=True)
def _soft_norm(v, entry, q, positive):
    """Norm ``||soft(v, entry)||_q``."""
    total = 0.0
    if q == 2.0 and entry == 0.0 and not positive:  # the common case
        total = _square_sum(v)
    elif q == 1.0 or q == 2.0:
        for k in range(v.size):
            a = _soft(v[k], entry, positive)
            total += a if q == 1.0 else a * a
        if q == 1.0:
            return total
    if q == 2.0 and SAFE_LOW < total < SAFE_HIGH:
        return math.sqrt(total)
    top = 0.0
    for k in range(v.size):
        a = _soft(v[k], entry, positive)
        if a > top or a != a:
            top = a
    if q == math.inf or top == 0.0 or top == math.inf:
        return top
    total = 0.0
    for k in range(v.size):
        total += (_soft(v[k], entry, positive) / top) ** q
    return top * total ** (1.0 / q)


@njit(cache=True)
def _shrink_euclidean(v, row):
    norm = row_norm(v, 2.0)
    factor = 0.0 if norm <= row else (norm - row) / norm
    for k in range(v.size):
        v[k] *= factor


@njit(cache=True)
def _clip_at_ceiling(v, row):
    """Prox of the maximum norm: clip at the level t >= 0 with ``sum_k max(|v_k| - t, 0) = row``.

    Michelot's method, without a sort: the level that the entries above the current level call for is at most
    the solution, so it rises until no further entry falls below.
    """
    total = row_norm(v, 1.0)
    if total <= row:
        v[:] = 0.0
        return
    level = max((total - row) / v.size, row_norm(v, math.inf) - row)
    while True:
        total, count = 0.0, 0
        for k in range(v.size):
            if abs(v[k]) > level:
                total += abs(v[k])
                count += 1
        if count == 0 or not (total - row) / count > level:
            break
        level = (total - row) / count
    for k in range(v.size):
        if abs(v[k]) > level:
            v[k] = math.copysign(level, v[k])


@njit(cache=True)
def _shrink_general(v, row, q):
    """Prox of ``row ||.||_q`` for 1 < q < inf; the equations are those of the generic `_solve_rows`."""
    if row_norm(v, _dual_exponent(q)) <= row:
        v[:] = 0.0
        return
    m, kappa = _newton_exponents(q)
    scale = row_norm(v, math.inf)
    weight = max(row / scale, TINY)
    s = max(1.0 - weight, 0.0)
    for _ in range(MAX_STEPS):
        total, slope = 0.0, 0.0
        for k in range(v.size):
            x, y, r, slope_k = _normalised(abs(v[k]) / scale, s, weight, m, q)
            total += x * y
            slope += y * r / slope_k
        log_s = math.log(total)
        step = total / ((m + 1.0) * slope) * (log_s if kappa == 0.0 else math.expm1(kappa * log_s) / kappa)
        s = max(s + step, 0.0)
        if not step > _newton_tolerance(m):
            break
    for k in range(v.size):
        r = _normalised(abs(v[k]) / scale, s, weight, m, q)[2]
        v[k] = math.copysign(scale * s * r, v[k])


@njit(cache=True)
def _normalised(a, s, weight, m, q):
    """Solve ``s r + weight r^(q-1) = a`` for one entry: x = r^min(1, q-1), x^m, r, slope in x."""
    s = max(s, TINY)
    if q >= 2.0:
        x, y, slope = _two_powers(a, s, weight, m)
        return x, y, x, slope
    x, y, slope = _two_powers(a, weight, s, m)
    return x, y, y, slope


@njit(cache=True)
def _two_powers(a, first, power, m):
    """Solve ``first x + power x^m = a`` for x >= 0; returns x, x^m and the slope. See the generic version."""
    if m == 2.0:
        x = 2.0 * a / (first + math.sqrt(first * first + 4.0 * power * a))
        return x, x * x, first + 2.0 * power * x
    if a < TINY:  # against 1, the largest entry of the row; keeps x away from zero below
        return 0.0, 0.0, first
    x = (a / power) ** (1.0 / m)
    p = a / power / x  # x^(m-1), here for free
    if a / first < x:
        x = a / first
        p = x ** (m - 1.0)
    for _ in range(MAX_STEPS):
        step = (first * x + power * p * x - a) / (first + m * power * p)
        if not step > _newton_tolerance(m) * x:
            break
        x -= step
        p = x ** (m - 1.0)
    p *= 1.0 - (m - 1.0) * step / x  # the last step is so short that first order is exact
    x -= step
    y = p * x
    if m * power * y > a:
        y = (a - first * x) / power
    return x, y, first + m * power * p


@njit(cache=True)
def _feasible_scale(V, entry, row, dual, positive, eps):
    if entry == 0.0:  # the longest row decides, and those that rounding may put in its place
        norms = np.empty(V.shape[0], dtype=V.dtype)
        _norms(V, 0.0, dual, positive, norms)
        top = norms.max() if norms.size else 0.0
        V = V[norms >= (1.0 - NEAR) * top]
    if not _exceeds(V, 1.0, entry, row, dual, positive):
        return 1.0
    total = entry + row
    if total == 0.0:
        return 0.0
    # soft(s v, entry) = s soft(v, entry / s): the scale is inverse to the dual norm, up to rounding
    scale = _as_in(V, min(1.0, total / _alpha_max(V, entry / total, dual, positive)))
    step = eps
    while _exceeds(V, scale, entry, row, dual, positive):
        scale = _as_in(V, scale * (1.0 - step))
        step *= 2.0
    return scale


@njit(cache=True)
def _as_in(V, number):
    """A number rounded to the dtype of V, as it will be when V is multiplied with it."""
    one = np.empty(1, dtype=V.dtype)
    one[0] = number
    return float(one[0])


@njit(cache=True)
def _exceeds(V, scale, entry, row, dual, positive):
    """Whether a row of ``scale V`` violates its constraint."""
    v = np.empty_like(V[0]) if len(V) else np.empty(0, V.dtype)
    for j in range(V.shape[0]):
        for k in range(v.size):
            v[k] = scale * V[j, k]
        if _soft_norm(v, entry, dual, positive) > row:
            return True
    return False


@njit(cache=True)
def _alpha_max(V, entry_ratio, dual, positive):
    alpha = 0.0
    for j in range(V.shape[0]):
        v = V[j]
        top = _soft_norm(v, 0.0, math.inf, positive)
        while True:
            alpha = max(alpha, top)
            norm = _soft_norm(v, alpha * entry_ratio, dual, positive)
            excess = norm - alpha * (1.0 - entry_ratio)
            if not excess > 0.0:
                break
            slope = 1.0 - entry_ratio
            for k in range(v.size):
                a = _soft(v[k], alpha * entry_ratio, positive)
                if a > 0.0:
                    slope += entry_ratio * (a / norm) ** (dual - 1.0)
            # at least one unit in the last place, so that rounding cannot stop short of feasibility
            alpha = max(alpha + excess / slope, alpha * (1.0 + EPS) + SMALLEST)
    return alpha
