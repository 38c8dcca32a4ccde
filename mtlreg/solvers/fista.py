"""FISTA with adaptive restart and backtracking, for any loss and any penalty with a proximal operator.

References
----------
Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2, eqs. 4.1-4.3.
O'Donoghue & Candes (2015), Adaptive restart for accelerated gradient schemes, FoCM 15, eq. 13 (gradient scheme).
"""

from __future__ import annotations

from mtlreg.solvers._base import check_finite

__all__ = ["fista"]

CHECK_EVERY = 10


def fista(problem, state, *, max_iter, tolerance):
    """Yield states of accelerated proximal gradient descent; ``state.n_iter`` counts proximal steps."""
    xp, penalty = problem.xp, problem.proximable
    x, eta = state.x, problem.predictors(state.x)
    previous, eta_previous, momentum = x, eta, 1.0
    lipschitz = max(problem.lipschitz(), float(xp.finfo(problem.design.dtype).smallest_normal))
    check_finite(lipschitz)
    Z, check, n_iter, still = state.Z, 0, 0, 0
    yield state
    precision = _precision(problem, state)
    while True:
        n_iter += 1
        following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        beta = (momentum - 1) / following
        momentum = following
        ahead, eta_ahead = x + beta * (x - previous), eta + beta * (eta - eta_previous)
        point = problem.smooth(eta_ahead, Z, precision)
        Z = point.Z
        slope = problem.gradient(point.u)
        G = problem.spread(slope + problem.pull(problem.total(ahead)))
        previous, eta_previous = x, eta
        while True:
            curvature = lipschitz + problem.stiffness
            x = penalty.prox(ahead - G / curvature, 1.0 / curvature)
            eta = problem.predictors(x)
            step = x - ahead
            if _majorised(problem, point, eta, eta_ahead, step, problem.spread(slope), lipschitz, Z):
                break
            lipschitz *= 1.5
            check_finite(lipschitz)
        # the momentum points uphill: forget it
        if float(xp.sum((ahead - x) * (x - previous))) > 0:
            momentum = 1.0
            if not problem.losses.smooth_bounded:
                lipschitz *= 0.7  # curvature seen on the way need not be that of the neighbourhood
        still = still + 1 if not bool(xp.any(x != previous)) else 0
        check += 1
        if check >= CHECK_EVERY or n_iter >= max_iter or still >= 3:
            check = 0
            state.x, state.Z, state.n_iter, state.stalled = x, Z, n_iter, still >= 3
            yield state
            Z, precision = state.Z, _precision(problem, state)


def _precision(problem, state):
    """How exact the free directions have to be for the present gap; differences of objectives need them exact."""
    if not problem.losses.smooth_bounded or state.certificate is None:
        return 0.0
    return min(1e-4, 1e-3 * state.certificate.gap / max(problem.null.value, 1e-300))


def _majorised(problem, point, eta, eta_ahead, step, slope, lipschitz, Z):
    """Whether the quadratic model with this curvature lies above the smooth part at the new point."""
    xp = problem.xp
    model = 0.5 * lipschitz * float(xp.sum(step * step, dtype=xp.float64))
    if problem.losses.smooth_bounded:
        # a bound by the losses' curvature has no cancellation, unlike a difference of objectives; and D step has none,
        # unlike a difference of predictors
        return any(
            0.5 * float(xp.sum(problem.curvature(point.eta) * moved() ** 2, dtype=xp.float64)) <= model * (1 + 1e-6)
            for moved in (lambda: eta - eta_ahead, lambda: problem.predictors(step))
        )
    following = problem.smooth(eta, Z)
    divergence = following.value - point.value - float(xp.sum(slope * step, dtype=xp.float64))
    if divergence <= model:
        return True
    # where the difference drowns in rounding, that of the derivatives is an upper bound
    return float(xp.sum((following.u - point.u) * problem.predictors(step), dtype=xp.float64)) <= model
