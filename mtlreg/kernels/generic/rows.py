"""Row-wise mixed norms for any array-API library: the plain reference.

Every function takes ``V`` of shape (p, C), one row per feature, and works on all rows at once. The penalty is

    Omega(V) = sum_j  entry ||V_j||_1 + row ||V_j||_q ,        1 <= q <= inf,

whose dual constraint is ``||soft(V_j, entry)||_{q*} <= row`` for every row, with 1/q + 1/q* = 1 and
``soft(x, e) = sign(x) max(|x| - e, 0)``. With ``positive`` the constraint v >= 0 is part of the penalty; then
only ``max(V, 0)`` matters, in the prox as well as in the dual constraint.
"""

import math

from array_api_compat import array_namespace

__all__ = [
    "dual_exponent",
    "row_alpha_max",
    "row_feasible_scale",
    "row_norms",
    "row_strengths",
    "row_violation",
    "shrink_rows",
]

# A weight below this, relative to the largest entry of a row, changes nothing; it floors divisors.
TINY = 1e-300
# Newton steps never come near this number; it bounds the loops when the data holds NaN.
MAX_STEPS = 100
EPS, SMALLEST = 2.3e-16, 5e-324  # of float64: the rounding of a number, and the least there is


def dual_exponent(q):
    """The conjugate exponent q* with 1/q + 1/q* = 1 (1 and inf are conjugate)."""
    if q == 1:
        return math.inf
    return 1.0 if q == math.inf else q / (q - 1)


def row_norms(V, q):
    """Norms of the rows, ``||V_j||_q = (sum_k |V_jk|^q)^(1/q)``, safe against overflow and underflow.

    Parameters
    ----------
    V : array of shape (p, C)
    q : float in [1, inf]

    Returns
    -------
    norms : array of shape (p,)
    """
    xp = array_namespace(V)
    q = float(q)  # a NumPy scalar would impose its own dtype
    A = xp.abs(V)
    if q == 1:
        return xp.sum(A, axis=1)
    top = xp.max(A, axis=1)
    if q == math.inf:
        return top
    scale = xp.where((top > 0) & xp.isfinite(top), top, xp.ones_like(top))
    A = A / scale[:, None]
    if q == 2:
        return scale * xp.sqrt(xp.sum(A * A, axis=1))
    return scale * xp.sum(A**q, axis=1) ** (1 / q)


def shrink_rows(V, entry, row, q, positive=False):
    """Prox of the penalty: ``argmin_U  ||U - V||^2 / 2 + sum_j entry ||U_j||_1 + row ||U_j||_q``.

    Exact row by row: a soft threshold by ``entry``, then the prox of ``row ||.||_q``.

    Parameters
    ----------
    V : array of shape (p, C)
        Not modified.
    entry, row : float >= 0
        Weights; inf gives zeros.
    q : float in [1, inf]
    positive : bool, default=False
        Add the constraint U >= 0.

    Returns
    -------
    U : array of shape (p, C), dtype of V
    """
    xp = array_namespace(V)
    q = float(q)
    if q == 1 or V.shape[1] == 1:  # on a single column every norm is the absolute value
        entry, row = entry + row, 0.0
    A = _soft(V, entry, positive)
    row = _representable(row, V)
    if row > 0:
        if q == 2:
            norms = row_norms(A, 2)
            A = A * (xp.maximum(norms - row, 0.0) / xp.where(norms > 0, norms, 1.0))[:, None]
        elif q == math.inf:
            A = xp.minimum(A, _ceiling(A, row))
        else:
            A = _shrink_general(A, row, q)
    return xp.where(V < 0, -A, A)


def row_violation(V, entry, row, q, positive=False):
    """Excess over the dual constraint, ``max(0, ||soft(V_j, entry)||_{q*} - row)``.

    Parameters are those of `shrink_rows`.

    Returns
    -------
    violation : array of shape (p,)
    """
    xp = array_namespace(V)
    norms = row_norms(_soft(V, entry, positive), dual_exponent(q))
    return xp.maximum(norms - _representable(row, V), 0.0)


def row_feasible_scale(V, entry, row, q, positive=False):
    """Largest s in [0, 1] with ``||soft(s V_j, entry)||_{q*} <= row`` for every row j.

    Rounding goes to the feasible side: ``row_violation(s * V, ...)`` is exactly zero. Parameters are those of
    `shrink_rows`.

    Returns
    -------
    s : float
    """
    return feasible_scale(V, entry, row, q, positive, row_violation, row_alpha_max)


def row_alpha_max(V, entry_ratio, q, positive=False):
    """Smallest alpha with ``||soft(V_j, alpha entry_ratio)||_{q*} <= alpha (1 - entry_ratio)`` for all rows.

    This is the dual norm of the penalty at V: with V the negative gradient at zero, zero is optimal from this
    strength on. Parameters are those of `row_strengths`.

    Returns
    -------
    alpha : float
    """
    return float(array_namespace(V).max(row_strengths(V, entry_ratio, q, positive))) if V.shape[0] else 0.0


def row_strengths(V, entry_ratio, q, positive=False):
    """Smallest alpha of each row with ``||soft(V_j, alpha entry_ratio)||_{q*} <= alpha (1 - entry_ratio)``.

    The excess of a row over its constraint is convex and falls in alpha, so Newton's method from the left stays left
    of the root.

    Parameters
    ----------
    V : array of shape (p, C)
    entry_ratio : float in [0, 1]
    q : float in [1, inf]
    positive : bool, default=False

    Returns
    -------
    alphas : float64 array of shape (p,)
    """
    xp = array_namespace(V)
    dual, entry_ratio = dual_exponent(float(q)), float(entry_ratio)
    V = xp.astype(_soft(V, 0.0, positive), xp.float64)
    alphas = xp.max(V, axis=1)
    while True:
        A = xp.maximum(V - (alphas * entry_ratio)[:, None], 0.0)
        norms = row_norms(A, dual)
        excess = norms - alphas * (1 - entry_ratio)
        over = excess > 0
        if not bool(xp.any(over)):
            return alphas
        shares = xp.where(over[:, None], A, 0.0) / xp.where(over, norms, 1.0)[:, None]
        slope = xp.where(shares > 0, shares ** (dual - 1), 0.0)
        slope = (1 - entry_ratio) + entry_ratio * xp.sum(slope, axis=1)
        # at least one unit in the last place, so that rounding cannot stop short of feasibility
        above = alphas * (1 + EPS) + SMALLEST
        alphas = xp.where(over, xp.maximum(alphas + excess / slope, above), alphas)


def feasible_scale(V, entry, row, q, positive, violation, alpha_max):
    """What `row_feasible_scale` returns, given a backend's own `row_violation` and `row_alpha_max`."""
    xp = array_namespace(V)
    if not bool(xp.any(violation(V, entry, row, q, positive) > 0)):
        return 1.0
    total = float(entry + row)
    if total == 0:
        return 0.0
    # soft(s v, entry) = s soft(v, entry / s): the scale is inverse to the dual norm, up to rounding
    scale = min(1.0, total / alpha_max(V, entry / total, q, positive))
    step = float(xp.finfo(V.dtype).eps)
    while bool(xp.any(violation(scale * V, entry, row, q, positive) > 0)):
        scale *= 1 - step
        step *= 2
    return scale


def _representable(x, V):
    """``x`` as a float that the dtype of V can hold: a weight of inf acts as the largest number."""
    return min(float(x), float(array_namespace(V).finfo(V.dtype).max))


def _soft(V, entry, positive):
    """Absolute values after the soft threshold, ``max(|V| - entry, 0)``."""
    xp = array_namespace(V)
    A = V if positive else xp.abs(V)
    return xp.maximum(A - _representable(entry, V), 0.0)


def _ceiling(A, row):
    """Level t >= 0 of each row with ``sum_k max(A_jk - t, 0) = row``, 0 if the row sums to less; (p, 1).

    The projection on the l1 ball is ``max(A - t, 0)``, so ``min(A, t)`` is the prox of ``row ||.||_inf`` by
    Moreau's identity. Of the candidates ``(sum of the k largest - row) / k`` the right k gives the largest.
    """
    xp = array_namespace(A)
    totals = xp.cumulative_sum(xp.sort(A, axis=1, descending=True), axis=1)
    counts = xp.arange(1, A.shape[1] + 1, dtype=A.dtype)
    return xp.maximum(xp.max((totals - row) / counts, axis=1, keepdims=True), 0.0)


def _shrink_general(A, row, q):
    """Prox of ``row ||.||_q`` for 1 < q < inf on rows A >= 0: zeros unless the dual norm exceeds ``row``."""
    xp = array_namespace(A)
    alive = xp.logical_not(row_norms(A, dual_exponent(q)) <= row)  # NaN stays NaN
    U = xp.zeros_like(A)
    if bool(xp.any(alive)):
        # float64 throughout: with q near 1 or large the powers eat too many of the digits of float32
        U[alive] = xp.astype(_solve_rows(xp.astype(A[alive], xp.float64), row, q), A.dtype)
    return U


def _solve_rows(A, row, q):
    """Nonzero solutions of ``u + row (u / ||u||_q)^(q-1) = a`` for the rows a >= 0 of A.

    With s = ||u||_q and r = u / s this is ``s r + row r^(q-1) = a``, ``sum r^q = 1``: for given s every entry
    stands alone, and s solves one equation S(s) = sum r^q = 1 per row. For q < 2 the unknown of an entry is
    x = r^(q-1), else x = r; so the equation of an entry is convex, ``first x + power x^m = a`` with m >= 1.

    Each entry's s is a convex function of its r^q, and more: S^-kappa is concave in s for the kappa of
    `newton_exponents` (convex where kappa < 0), so Newton's method on S^-kappa = 1 rises to the root from the
    left, never past it, and needs no bracket. For q near 1 or 2 it takes one step, for large q it is
    Michelot's finite method. The start max(a) - row is at most s and keeps every x <= 1: nothing overflows.
    """
    xp = array_namespace(A)
    m, kappa = newton_exponents(q)
    scale = xp.max(A, axis=1, keepdims=True)
    A = A / scale
    weight = xp.maximum(row / scale, TINY)
    s = xp.maximum(1 - weight, 0.0)
    for _ in range(MAX_STEPS):
        _, S, slope = _normalised(A, s, weight, m, q)
        log_s = xp.log(S)
        step = S / slope * (xp.expm1(kappa * log_s) / kappa if kappa else log_s)
        s = xp.maximum(s + step, 0.0)
        if not bool(xp.any(step > newton_tolerance(m))):
            break
    return scale * s * _normalised(A, s, weight, m, q)[0]


def newton_exponents(q):
    """Power m in the equation of an entry and exponent kappa in that of a row; see `_solve_rows`."""
    return (q - 1, 3 / q - 1) if q >= 2 else (1 / (q - 1), 1 / q)


def newton_tolerance(m):
    """Relative step after which Newton's method on x^m is exact: an error e becomes less than m e^2 / 2."""
    return max(1e-8 / m, 1e-15)


def _normalised(A, s, weight, m, q):
    """Solve ``s r + weight r^(q-1) = A`` entry by entry: r, the row sums S of r^q and -dS/ds as (p, 1)."""
    xp = array_namespace(A)
    s = xp.maximum(s, TINY)
    X, Y, slope = _two_powers(A, s, weight, m) if q >= 2 else _two_powers(A, weight, s, m)
    R = X if q >= 2 else Y
    S = xp.sum(X * Y, axis=1, keepdims=True)
    return R, S, (m + 1) * xp.sum(Y * R / slope, axis=1, keepdims=True)


def _two_powers(A, first, power, m):
    """Solve ``first x + power x^m = A`` for x >= 0; returns x, x^m and the slope of the left side at x.

    Newton's method falls monotonically from an upper bound within a factor 2 of the root. The rest of the
    equation gives x^m without the m-fold loss of digits of the power, unless cancellation loses more.
    """
    xp = array_namespace(A)
    X = xp.minimum(A / first, (A / power) ** (1 / m))
    for _ in range(MAX_STEPS):
        P = X ** (m - 1)
        slope = first + m * power * P
        step = (first * X + power * P * X - A) / slope
        X = X - step
        if not bool(xp.any(step > newton_tolerance(m) * X)):
            break
    P = X ** (m - 1)
    Y = xp.where(m * power * P * X > A, (A - first * X) / power, P * X)
    return X, Y, first + m * power * P
