"""Douglas-Rachford splitting with Anderson extrapolation, for squared loss with a small Gram matrix for every task.

The loss's side is solved exactly, task by task; the penalty's side is its proximal operator:

    z = prox_{Omega / rho}(q)      w = argmin f(w) + rho |w - (2 z - q)|^2 / 2      q <- q + w - z

so that neither the condition of the Gram matrices nor their differences from task to task count for much. Of a compound
penalty every part has its own q, and f sees their sum. A smooth coupling of the tasks is one more part, kept equal to
the sum. ``V = rho (q - z)`` is a subgradient of Omega at z: the dual point with ``D' u = -V`` needs no scaling, and its
gap is quadratic in ``w - z``.

References
----------
Eckstein & Bertsekas (1992), On the Douglas-Rachford splitting method, Mathematical Programming 55.
Fu, Zhang & Boyd (2020), Anderson accelerated Douglas-Rachford splitting, SIAM J. Sci. Comput. 42.
"""

from __future__ import annotations

import math

import numpy as np

from mtlreg.designs import StackedDesign
from mtlreg.solvers.anderson import Extrapolation

__all__ = ["handles", "splitting"]

WIDEST = 200  # features of the Gram matrices
MEMORY = 21  # steps of an extrapolation
WORSE = 4.0  # times the least squared residual, at which extrapolations begin anew
CHECK_EVERY = 10
CHECK_SHARE = 8  # certificates cost at most one iteration in so many more
BALANCE_EVERY = 10  # iterations between changes of rho; the longer, the more of them there were
BALANCED = 2.0  # ratio of the two residuals at which rho stays
LAST_BALANCE = 400  # iteration, after which long extrapolations need one rho
SHRINKING = 0.3  # of what w - z was when the present iterations began, at which rho stays, too
RANK = 1e-10  # of the largest eigenvalue of a Gram matrix


def handles(problem):
    """Whether the method applies: squared loss on few dense features and equally many rows of each task, no fewer."""
    design = problem.design
    return (
        problem.losses.quadratic
        and problem.separable
        and isinstance(design, StackedDesign)
        and isinstance(design.X, np.ndarray)
        and design.dtype == np.float64
        and design.U is None
        and design.inverse_scale is None
        and design.n_columns == len(design.widths)
        and len(heights := set(np.diff(design.starts).tolist())) == 1
        and design.n_features <= min(WIDEST, *heights)
    )


def splitting(problem, state, *, max_iter, tolerance):
    """Yield states of Douglas-Rachford splitting; ``state.n_iter`` counts proximal steps."""
    yield state
    sides = _Sides(problem)
    rho = sides.typical
    q, extrapolation, balance = sides.start(state.x, rho), _Guarded(), _Balance()
    n_iter, check = 0, CHECK_EVERY
    while True:
        n_iter += 1
        z = sides.prox(q, rho)
        step = sides.solve(2 * z - q, rho) - z
        still = float(np.linalg.norm(step)) <= float(np.finfo(q.dtype).eps) * float(np.linalg.norm(q))
        if n_iter >= min(check, max_iter) or still:
            check = n_iter + max(CHECK_EVERY, n_iter // CHECK_SHARE)
            nearest = extrapolation.nearest(q, step)
            there = z if nearest is q else sides.prox(nearest, rho)
            state.x, state.n_iter, state.stalled = sides.parts(there), n_iter, still
            state.bound = sides.bound(there, rho * (nearest - there))
            yield state
        following = balance.rho(rho, q, z, step)
        if following == rho:
            q = extrapolation.following(q, step)
        else:
            q = z + (q + step - z) * (rho / following)
            rho = following
            extrapolation = _Guarded()


class _Sides:
    """The two sides of a problem; q, z and w are (n_parts, n_features, n_columns), with the coupling's part last."""

    def __init__(self, problem):
        self.problem = problem
        design, w = problem.design, problem.weights
        n_tasks, p = design.n_columns, design.n_features
        X = (np.sqrt(w)[:, None] * design.X).reshape(n_tasks, -1, p)
        self.values, self.vectors = np.linalg.eigh(X.transpose(0, 2, 1) @ X)
        self.values = np.clip(self.values, 0.0, None)
        self.counted = self.values > RANK * self.values.max(axis=1, keepdims=True)
        self.B = design.adjoint(design.X, w * problem.y)
        self.n_parts = max(1, len(problem.penalty.part_names))
        self._weight = self._damped_at = None
        if problem.coupling is not None:
            self.strengths, self.basis = np.linalg.eigh(problem.coupling)
            self.strengths = np.clip(self.strengths, 0.0, None)

    @property
    def typical(self):
        """A rho to begin with: the geometric mean of the Gram matrices' eigenvalues."""
        large = self.values[self.values > 1e-6 * self.values.max()]
        return float(np.exp(np.mean(np.log(large)))) if large.size else 1.0

    def start(self, x, rho):
        """The q of an iterate, a fixed point if that is the solution."""
        problem = self.problem
        W = problem.total(x)
        pull = problem.pull(W)
        slope = problem.gradient(problem.smooth(problem.predictors(x)).u) + pull
        q = x.reshape(-1, *W.shape) - slope / rho
        return q if problem.coupling is None else np.concatenate([q, (W + pull / rho)[None]])

    def parts(self, z):
        """x of z."""
        return z[: self.n_parts].reshape(self.problem.zero.shape)

    def prox(self, q, rho):
        """The penalty's side."""
        z = np.empty_like(q)
        z[: self.n_parts] = self.problem.proximable.prox(self.parts(q), 1 / rho)
        if len(q) > self.n_parts:
            if rho != self._damped_at:
                self._damped_at, self._damped = rho, (self.basis / (1 + self.strengths / rho)) @ self.basis.T
            z[-1] = q[-1] @ self._damped
        return z

    def solve(self, r, rho):
        """The loss's side: the minimum over w of ``f(sum of the parts) + rho |w - r|^2 / 2``."""
        K = self.n_parts
        total = r[:K].sum(axis=0)
        weight, pull = rho / K, (rho / K) * total
        if len(r) > K:
            weight, pull = weight + rho, pull + rho * r[-1]
        if weight != self._weight:
            inverse = self.vectors / (self.values + weight)[:, None, :]
            self._weight, self._inverse = weight, inverse @ self.vectors.transpose(0, 2, 1)
        W = (self._inverse @ (self.B + pull).T[:, :, None])[:, :, 0].T
        return np.concatenate([r[:K] + (W - total) / K, *([W[None]] if len(r) > K else [])])

    def bound(self, z, V):
        """Value of the dual point ``D' u = -V``, the mean over the parts; the coupling has its own, at its part."""
        right = self.B - V[: self.n_parts].mean(axis=0) - self.problem.pull(z[-1])
        inverse = np.where(self.counted, 1 / np.where(self.counted, self.values, 1.0), 0.0)
        along = (self.vectors.transpose(0, 2, 1) @ right.T[:, :, None]) * inverse[:, :, None]
        return self.problem.bound((self.vectors @ along)[:, :, 0].T, z[-1])


class _Guarded:
    """Anderson's extrapolation of ``q <- q + step``, held back where the steps grow."""

    def __init__(self):
        self.extrapolation, self.least = Extrapolation(MEMORY), math.inf

    def nearest(self, q, step):
        """The point of the least step so far, this one included."""
        return self.best[0] if float(np.sum(step * step)) > self.least else q

    def following(self, q, step):
        """The next point, given the last one and its step."""
        square = float(np.sum(step * step))
        if square > WORSE * self.least:
            q, step = self.best
            self.extrapolation.clear()
        if square < self.least:
            self.least, self.best = square, (q, step)
        self.extrapolation.add(step, q + step)
        ahead = self.extrapolation.point()
        return q + step if ahead is None else ahead


class _Balance:
    """rho, moved where ``w - z`` (relative to z) and the change of z (relative to q - z) differ in size.

    But not while ``w - z`` shrinks, nor late: extrapolation would have to begin anew.
    """

    def __init__(self):
        self.logs, self.before, self.window, self.first = [], None, float(BALANCE_EVERY), math.inf
        self.n_iter = 0

    def rho(self, rho, q, z, step):
        """The rho to go on with."""
        before, self.before = self.before, z
        self.n_iter += 1
        if before is None or self.n_iter > LAST_BALANCE:
            return rho
        sizes = [float(np.linalg.norm(a)) for a in (step, q - z, z - before, z)]
        if not self.logs:
            self.first = sizes[0]
        if min(sizes) > 0:
            self.logs.append(math.log(sizes[0]) + math.log(sizes[1]) - math.log(sizes[2]) - math.log(sizes[3]))
        if len(self.logs) < self.window:
            return rho
        ratio = math.exp(sum(self.logs) / len(self.logs))
        self.logs = []
        if 1 / BALANCED <= ratio <= BALANCED or sizes[0] <= SHRINKING * self.first:
            return rho
        self.before, self.window = None, 1.5 * self.window
        return rho * min(max(ratio, 0.1), 10.0)
