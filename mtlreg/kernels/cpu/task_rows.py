"""Block coordinate descent over rows of W where each task has rows of its own: a curvature for every task.

For row j the loss is ``sum_t (L_jt w_t^2 / 2 - c_t w_t)`` but for a constant, with ``c_t = L_jt W_jt + g_t`` and g the
correlation of the residual with the feature, task by task. The minimum with a row norm is one scalar root.
"""

import math

import numpy as np
from numba import njit

from mtlreg.kernels.cpu.descent import MAX_TURNS, SETTLED
from mtlreg.kernels.cpu.rows import (
    TINY,
    _dual_exponent,
    _newton_exponents,
    _newton_tolerance,
    _normalised,
    row_norm,
)

__all__ = ["sweep_task_gram", "sweep_task_rows"]

MAX_STEPS = 100


@njit(cache=True)
def minimise_row(c, L, entry, row, q, positive):
    """Replace c by the w that minimises ``sum_t (L_t w_t^2 / 2 - c_t w_t) + entry |w|_1 + row |w|_q``.

    Entries of curvature 0 become 0.
    """
    if q == 1.0 or c.size == 1:
        entry, row = entry + row, 0.0
    for t in range(c.size):
        a = (c[t] if positive else abs(c[t])) - entry
        c[t] = math.copysign(a, c[t]) if a > 0.0 and L[t] > 0.0 else 0.0
    if row > 0.0 and q == 2.0:
        _scale_row(c, L, row)
    elif row > 0.0 and q == math.inf:
        _clip_row(c, L, row)
    elif row > 0.0:
        _scale_general(c, L, row, q)
    else:
        for t in range(c.size):
            c[t] = c[t] / L[t] if c[t] != 0.0 else 0.0


@njit(cache=True)
def _scale_row(c, L, row):
    """``w_t = c_t s / (L_t s + row)`` with s = |w|_2, the root of ``sum_t (c_t / (L_t s + row))^2 = 1``.

    Newton's method for ``1 / sqrt`` of the sum, which is concave in s, rises to the root from below.
    """
    norm = row_norm(c, 2.0)
    if norm <= row:
        c[:] = 0.0
        return
    top = 0.0
    for t in range(c.size):
        top = max(top, L[t])
    s = (norm - row) / top
    for _ in range(MAX_STEPS):
        total, slope = 0.0, 0.0
        for t in range(c.size):
            inverse = 1.0 / (L[t] * s + row)
            square = (c[t] * inverse) ** 2
            total += square
            slope += square * L[t] * inverse
        step = total * (math.sqrt(total) - 1.0) / slope
        if not step > 1e-15 * s:
            break
        s += step
    for t in range(c.size):
        c[t] *= s / (L[t] * s + row)


@njit(cache=True)
def _clip_row(c, L, row):
    """``|w_t| = min(|c_t| / L_t, level)`` with ``sum_t max(|c_t| - L_t level, 0) = row``: Michelot's method."""
    if row_norm(c, 1.0) <= row:
        c[:] = 0.0
        return
    level = 0.0
    while True:
        total, weight = 0.0, 0.0
        for t in range(c.size):
            if abs(c[t]) > L[t] * level:
                total += abs(c[t])
                weight += L[t]
        if weight == 0.0 or not (total - row) / weight > level:
            break
        level = (total - row) / weight
    for t in range(c.size):
        if c[t] != 0.0:
            c[t] = math.copysign(min(abs(c[t]) / L[t], level), c[t])


@njit(cache=True)
def _scale_general(c, L, row, q):
    """``w = s r`` with ``L_t s r_t + row r_t^(q-1) = |c_t|`` and s such that |r|_q = 1; 1 < q < inf.

    The Newton steps of `mtlreg.kernels.generic.rows`, inside a bracket.
    """
    if row_norm(c, _dual_exponent(q)) <= row:
        c[:] = 0.0
        return
    m, kappa = _newton_exponents(q)
    scale = row_norm(c, math.inf)
    weight = max(row / scale, TINY)
    low, high = 0.0, math.inf
    for t in range(c.size):
        if c[t] != 0.0:
            low = max(low, (abs(c[t]) / scale - weight) / L[t])  # every r_t is at most 1
    s = low
    for _ in range(MAX_STEPS):
        total, slope = 0.0, 0.0
        for t in range(c.size):
            x, y, r, slope_t = _normalised(abs(c[t]) / scale, s * L[t], weight, m, q)
            total += x * y
            slope += L[t] * y * r / slope_t
        if total >= 1.0:
            low = max(low, s)
        else:
            high = min(high, s)
        log_total = math.log(total)
        step = total / ((m + 1.0) * slope) * (log_total if kappa == 0.0 else math.expm1(kappa * log_total) / kappa)
        before, s = s, s + step
        if not low <= s <= high:
            s = 0.5 * (low + high) if high < math.inf else 2.0 * before
        if not abs(s - before) > _newton_tolerance(m) * s:
            break
    for t in range(c.size):
        if c[t] != 0.0:
            r = _normalised(abs(c[t]) / scale, s * L[t], weight, m, q)[2]
            c[t] = math.copysign(scale * s * r, c[t])


@njit(cache=True)
def _solve_row(j, L, g, W, kernels, moved, v, total):
    """Minimise over row j of all parts, in place, for a correlation g; ``moved`` gets the change of their sum.

    Returns the sum of the squares of all changes, times the curvatures.
    """
    n_parts, n_columns = W.shape[0], W.shape[2]
    moved[:] = 0
    changed = 0.0
    for _ in range(MAX_TURNS):
        turn = 0.0
        for k in range(n_parts):
            entry, row, q, ridge, positive = kernels[k]
            for t in range(n_columns):
                v[t] = L[t] * (W[k, j, t] - moved[t]) + g[t]
                total[t] = L[t] + ridge if L[t] > 0.0 else 0.0
            minimise_row(v, total, entry, row, q, positive != 0)
            for t in range(n_columns):
                d = v[t] - W[k, j, t]
                W[k, j, t] = v[t]
                moved[t] += d
                turn += L[t] * d * d
        changed += turn
        if n_parts == 1 or turn <= SETTLED * changed:
            break
    return changed


@njit(cache=True)
def sweep_task_rows(X, starts, R, curvature, W, kernels):
    """Sweep once over the rows of W, updating W and the residual R (n_rows,) in place.

    Parameters
    ----------
    X : (p, n_rows), the features one after another.
    starts : where each task's rows start, and their number at the end.
    curvature : (p, n_columns), L_jt.
    W : (n_parts, p, n_columns), the coefficients are the sum of the parts.
    kernels : (n_parts, 5) float64, ``entry, row, q, ridge, positive`` of every part.

    Returns
    -------
    float
        The largest ``sum_t L_jt (change of W_jt)^2`` of a row.
    """
    _, p, n_columns = W.shape
    g = np.empty(n_columns, dtype=W.dtype)
    v = np.empty(n_columns, dtype=W.dtype)
    moved = np.empty(n_columns, dtype=W.dtype)
    held = np.empty(n_columns)
    largest = 0.0
    for j in range(p):
        for t in range(n_columns):
            g[t] = _dot(X[j, starts[t] : starts[t + 1]], R[starts[t] : starts[t + 1]])
        change = _solve_row(j, curvature[j], g, W, kernels, moved, v, held)
        if change > 0:
            largest = max(largest, change)
            for t in range(n_columns):
                if moved[t] != 0:
                    for i in range(starts[t], starts[t + 1]):
                        R[i] -= X[j, i] * moved[t]
    return largest


@njit(cache=True, fastmath={"reassoc", "contract"})
def _dot(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@njit(cache=True)
def sweep_task_gram(G, curvature, Q, W, kernels):
    """Sweep once over the rows of W, updating W and the correlations Q (p, n_columns) in place.

    ``G`` (p, p, n_columns) holds the Gram matrices of all tasks; the other arguments and the result are those of
    `sweep_task_rows`.
    """
    _, p, n_columns = W.shape
    v = np.empty(n_columns, dtype=W.dtype)
    moved = np.empty(n_columns, dtype=W.dtype)
    held = np.empty(n_columns)
    largest = 0.0
    for j in range(p):
        change = _solve_row(j, curvature[j], Q[j], W, kernels, moved, v, held)
        if change > 0:
            largest = max(largest, change)
            for i in range(p):
                for t in range(n_columns):
                    Q[i, t] -= G[j, i, t] * moved[t]
    return largest
