"""FISTA with adaptive restart and backtracking, for any loss and any penalty with a proximal operator.

References
----------
Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2, eqs. 4.1-4.3.
O'Donoghue & Candes (2015), Adaptive restart for accelerated gradient schemes, FoCM 15, eq. 13 (gradient scheme).
"""

from __future__ import annotations

from mtlreg.solvers._base import check_finite

__all__ = ["fista", "last_digits"]

CHECK_EVERY = 10


def fista(problem, state, *, max_iter, tolerance):
    """Yield states of accelerated proximal gradient descent; ``state.n_iter`` counts proximal steps."""
    xp, penalty = problem.xp, problem.proximable
    x, eta = state.x, problem.predictors(state.x)
    previous, eta_previous, momentum = x, eta, 1.0
    lipschitz = max(problem.lipschitz(), float(xp.finfo(problem.design.dtype).smallest_normal))
    check_finite(lipschitz)
    check, n_iter, still = 0, 0, 0
    yield state
    free = _free_coefficients(problem, state.Z)
    while True:
        n_iter += 1
        following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        beta = (momentum - 1) / following
        momentum = following
        ahead, eta_ahead = x + beta * (x - previous), eta + beta * (eta - eta_previous)
        slope = problem.gradient(free.advance(eta_ahead, beta))
        G = problem.spread(slope + problem.pull(problem.total(ahead)))
        previous, eta_previous = x, eta
        while True:
            curvature = lipschitz + problem.stiffness
            x = penalty.prox(ahead - G / curvature, 1.0 / curvature)
            eta = problem.predictors(x)
            step = x - ahead
            if _majorised(problem, free.point, eta, eta_ahead, step, problem.spread(slope), lipschitz):
                break
            lipschitz *= 1.5
            check_finite(lipschitz)
        # the momentum points uphill: forget it
        if curvature * float(xp.sum((ahead - x) * (x - previous))) + free.uphill > 0:
            momentum = 1.0
            if not problem.losses.smooth_bounded:
                lipschitz *= 0.7  # curvature seen on the way need not be that of the neighbourhood
        still = still + 1 if not bool(xp.any(x != previous)) else 0
        check += 1
        if check >= CHECK_EVERY or n_iter >= max_iter or still >= 3:
            check = 0
            state.x, state.Z, state.n_iter, state.stalled = x, free.Z, n_iter, still >= 3
            yield state
            free.move_to(state.Z)


def last_digits(problem, state, *, max_iter, tolerance):
    """Go on from where another method moves no more; its iterations are counted on."""
    before, steps = state.n_iter, fista(problem, state, max_iter=max_iter - state.n_iter, tolerance=tolerance)
    next(steps)  # the start
    for at in steps:
        at.n_iter += before
        yield at


def _free_coefficients(problem, Z):
    """What follows the free coefficients: steps of their own, where the curvature is bounded; else exact minima.

    These cost nothing under squared loss, or where there are no free directions.
    """
    costly = problem.free is not None and not problem.losses.quadratic
    return _Stepping(problem, Z) if costly and problem.losses.smooth_bounded else _Minimised(problem, Z)


class _Minimised:
    """Free coefficients minimised out at every predictor."""

    uphill = 0.0

    def __init__(self, problem, Z):
        self.problem, self.Z = problem, Z

    def advance(self, eta, beta):
        """The losses' derivative at predictors ``eta`` of the penalised part."""
        self.point = self.problem.smooth(eta, self.Z)
        self.Z = self.point.Z
        return self.point.u

    def move_to(self, Z):
        """Go on from the exact minimum that a certificate has found."""
        self.Z = Z


class _Stepping:
    """Free coefficients that take accelerated gradient steps along with x.

    The columns of D are orthogonal to U under the weights, and with them the steps: each has its own curvature bound.
    """

    point = None

    def __init__(self, problem, Z):
        self.problem, self.Z, self.previous, self.slope = problem, Z, Z, 0 * Z

    def advance(self, eta, beta):
        """The losses' derivative ahead at predictors ``eta`` of the penalised part; Z takes its step there."""
        free = self.problem.free
        ahead = self.Z + beta * (self.Z - self.previous)
        u = self.problem.derivative(eta + free.predictor(ahead))
        self.slope = free.gradient(u)
        self.previous, self.Z = self.Z, ahead + free.step(self.slope)
        return u

    @property
    def uphill(self):
        """The part of the free coefficients in the test for a restart."""
        return float(self.problem.xp.sum(self.slope * (self.Z - self.previous)))

    def move_to(self, Z):
        """Go on from the exact minimum that a certificate has found, at the same speed."""
        self.previous, self.Z = self.previous + (Z - self.Z), Z


def _majorised(problem, point, eta, eta_ahead, step, slope, lipschitz):
    """Whether the quadratic model with this curvature lies above the smooth part at the new point."""
    xp = problem.xp
    model = 0.5 * lipschitz * float(xp.sum(step * step, dtype=xp.float64))
    if problem.losses.smooth_bounded:
        # a bound by the losses' curvature has no cancellation, unlike a difference of objectives; and D step has none,
        # unlike a difference of predictors
        return any(
            0.5
            * float(xp.sum(problem.curvature(None if point is None else point.eta) * moved() ** 2, dtype=xp.float64))
            <= model * (1 + 1e-6)
            for moved in (lambda: eta - eta_ahead, lambda: problem.predictors(step))
        )
    following = problem.smooth(eta, point.Z)
    divergence = following.value - point.value - float(xp.sum(slope * step, dtype=xp.float64))
    if divergence <= model:
        return True
    # where the difference drowns in rounding, that of the derivatives is an upper bound
    return float(xp.sum((following.u - point.u) * problem.predictors(step), dtype=xp.float64)) <= model
