"""FISTA with adaptive restart and backtracking, for any loss and any penalty with a proximal operator.

Where the curvature is bounded, a stretch of steps is taken without a look at any number: momentum and restarts are
arrays, so that another device is not waited for. The quadratic model is checked at the end of a stretch, which is
taken anew, with more curvature, where the model lay below. The certificate vouches for the result.

References
----------
Beck & Teboulle (2009), A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2, eqs. 4.1-4.3.
O'Donoghue & Candes (2015), Adaptive restart for accelerated gradient schemes, FoCM 15, eq. 13 (gradient scheme).
"""

from __future__ import annotations

import copy
from math import inf, isfinite

from mtlreg.kernels import for_array
from mtlreg.kernels.generic.steps import by_problem, take_problems
from mtlreg.solvers._base import check_finite

__all__ = ["CHECK_EVERY", "Walk", "fista", "last_digits"]

CHECK_EVERY = 10


def fista(problem, state, *, max_iter, tolerance):
    """Yield states of accelerated proximal gradient descent; ``state.n_iter`` counts proximal steps."""
    xp, walk = problem.xp, Walk(problem, state.x, state.Z)
    n_iter = 0
    yield state
    while True:
        start = walk.x
        for _ in range(CHECK_EVERY // walk.stretch):
            count = min(walk.stretch, max_iter - n_iter)
            walk.advance(count)
            n_iter += count
        still = walk.x is not start and not bool(xp.any(walk.x != start))
        state.x, state.Z, state.n_iter, state.stalled = walk.x, walk.free.Z, n_iter, still
        yield state
        walk.free.move_to(state.Z)


def last_digits(problem, state, *, max_iter, tolerance):
    """Go on from where another method moves no more; its iterations are counted on."""
    before, steps = state.n_iter, fista(problem, state, max_iter=max_iter - state.n_iter, tolerance=tolerance)
    next(steps)  # the start
    for at in steps:
        at.n_iter += before
        yield at


class Walk:
    """Where the iteration is: x, its predictors, those before, and free coefficients.

    Parameters
    ----------
    problem : Problem
    x, Z : arrays
        Where to begin.
    count : int, default=1
        Number of problems that stand side by side in ``problem``.
    lipschitz : float, default=None
        Of the gradient; None: the problem's estimate.
    """

    def __init__(self, problem, x, Z, count=1, lipschitz=None):
        self.problem, self.xp, self.count = problem, problem.xp, count
        self.bounded = problem.losses.smooth_bounded
        #: steps between looks at the curvature; it changes from step to step where no constant bounds it
        self.stretch = CHECK_EVERY if self.bounded and problem.separable else 1
        lipschitz = problem.lipschitz() if lipschitz is None else lipschitz
        self.lipschitz = max(lipschitz, float(problem.xp.finfo(problem.design.dtype).smallest_normal))
        check_finite(self.lipschitz)
        self.x = self.previous = x
        self.eta = self.eta_previous = problem.predictors(x)
        self.momentum = problem.xp.ones((count,), dtype=problem.design.dtype)
        self.free = _free_coefficients(problem, Z, count)

    def keep(self, which, problem):
        """Go on with some of the problems, given their positions and the problem of these."""
        at, count = self.xp.asarray(which, dtype=self.xp.int64), self.count
        self.problem, self.count = problem, len(which)
        for name in ("x", "previous", "eta", "eta_previous"):
            setattr(self, name, take_problems(getattr(self, name), at, count))
        self.momentum = self.xp.take(self.momentum, at)
        self.free.keep(at, problem, self.count)

    def advance(self, count):
        """Take some steps, or raise the curvature where the model fails."""
        start, free = copy.copy(self), copy.copy(self.free)
        for _ in range(count):
            self._step()
        needed = self._needed() if count else 0.0
        if needed > 0:
            # of numbers that have overflowed nothing is known but that the steps were far too long
            raised = max(1.5, 1.01 * needed / self.lipschitz if isfinite(needed) else 1e3) * self.lipschitz
            check_finite(raised)
            self.__dict__.update(start.__dict__)
            self.lipschitz, self.free = raised, free
        elif count and not self.bounded and bool(self.xp.any(self.uphill > 0)):
            self.lipschitz *= 0.7  # curvature seen on the way need not be that of the neighbourhood

    def _step(self):
        problem, kernels = self.problem, for_array(self.x)
        self.momentum, beta = kernels.accelerate(self.momentum)
        self.ahead = kernels.extrapolate(self.x, self.previous, beta)
        self.eta_ahead = kernels.extrapolate(self.eta, self.eta_previous, beta)
        self.slope = problem.gradient(self.free.advance(self.eta_ahead, beta))
        G = self.slope if problem.coupling is None else self.slope + problem.pull(problem.total(self.ahead))
        self.previous, self.eta_previous = self.x, self.eta
        curvature = self.lipschitz + problem.stiffness
        length = 1.0 / curvature
        self.x = problem.proximable.prox(kernels.descend(self.ahead, problem.spread(G), length), length)
        self.eta = problem.predictors(self.x)
        # the momentum points uphill: forget it
        self.uphill = kernels.uphill(self.ahead, self.x, self.previous, self.count)
        if self.free.uphill is not None:
            self.uphill = self.uphill + self.free.uphill / curvature
        self.momentum = kernels.restart(self.momentum, self.uphill)

    def _needed(self):
        """0 if the quadratic model of the last step lies above the smooth part at its end, else a curvature needed."""
        problem, point, step = self.problem, self.free.point, self.x - self.ahead
        square = self._sum(step * step)
        if not self.bounded:
            return 0.0 if self._lies_above(point, step, 0.5 * self.lipschitz * square) else self.lipschitz
        # a bound by the losses' curvature has no cancellation, unlike a difference of objectives; and D step has none,
        # unlike a difference of predictors
        curvature = problem.curvature(None if point is None else point.eta)
        for moved in (lambda: self.eta - self.eta_ahead, lambda: problem.predictors(step)):
            bend = self._sum(curvature * moved() ** 2)
            if isfinite(square) and bend <= self.lipschitz * square * (1 + 1e-6):
                return 0.0
        return bend / square if square > 0 else inf

    def _lies_above(self, point, step, model):
        following = self.problem.smooth(self.eta, point.Z)
        divergence = following.value - point.value - self._sum(self.problem.spread(self.slope) * step)
        if divergence <= model:
            return True
        # where the difference drowns in rounding, that of the derivatives is an upper bound
        return self._sum((following.u - point.u) * self.problem.predictors(step)) <= model

    def _sum(self, a):
        return float(self.xp.sum(a, dtype=self.xp.float64))


def _free_coefficients(problem, Z, count):
    """What follows the free coefficients: none or known ones, else steps of their own, else exact minima."""
    if not (problem.losses.smooth_bounded and problem.separable):
        return _Minimised(problem, Z)
    known = problem.free is None or problem.losses.quadratic
    return _Known(problem) if known else _Stepping(problem, Z, count)


class _Known:
    """No free coefficients; or those of squared loss, where they are the same for every x: D is orthogonal to U."""

    uphill = point = None

    def __init__(self, problem):
        self.take(problem)

    def take(self, problem):
        """Follow a problem."""
        self.problem = problem
        self.Z = None if problem.free is None else problem.null.Z
        self.offset = None if problem.free is None else problem.free.predictor(self.Z)

    def advance(self, eta, beta):
        """The losses' derivative at predictors ``eta`` of the penalised part."""
        return self.problem.derivative(eta if self.offset is None else eta + self.offset)

    def move_to(self, Z):
        """They stay."""

    def keep(self, at, problem, count):
        """Go on with some of the problems."""
        self.take(problem)


class _Minimised:
    """Free coefficients minimised out at every predictor."""

    uphill = None

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

    def __init__(self, problem, Z, count):
        self.problem, self.Z, self.previous, self.slope, self.count = problem, Z, Z, 0 * Z, count

    def advance(self, eta, beta):
        """The losses' derivative ahead at predictors ``eta`` of the penalised part; Z takes its step there."""
        free = self.problem.free
        ahead = for_array(eta).extrapolate(self.Z, self.previous, beta)
        u = self.problem.derivative(eta + free.predictor(ahead))
        self.slope = free.gradient(u)
        self.previous, self.Z = self.Z, ahead + free.step(self.slope)
        return u

    @property
    def uphill(self):
        """The part of the free coefficients in the test for a restart."""
        products = by_problem(self.slope * (self.Z - self.previous), self.count)
        return self.problem.xp.sum(products, axis=(0, 2), dtype=self.problem.xp.float64)

    def move_to(self, Z):
        """Go on from the exact minimum that a certificate has found, at the same speed."""
        self.previous, self.Z = self.previous + (Z - self.Z), Z

    def keep(self, at, problem, count):
        """Go on with some of the problems."""
        for name in ("Z", "previous", "slope"):
            setattr(self, name, take_problems(getattr(self, name), at, self.count))
        self.problem, self.count = problem, count
