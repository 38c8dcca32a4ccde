"""The one certificate of the benchmarks: the duality gap of a W, whoever returned it.

    P(W) = sum_i loss(y_i, (X W)_i) / m + alpha Omega(W)
    D(V) = -sum_i loss*(y_i, -m V_i) / m            for every V with Omega°(X' V) <= alpha

m is the number of rows, of a task on average where tasks have rows of their own; loss* is the conjugate and Omega° the
dual norm. The dual point is made from W alone: V = s R / m with R = -loss'(y, X W), the residual, and the best feasible
s >= 0. A solver that stops on a better dual point of its own gets no credit for it, and none of a solver's own numbers
is used. Plain NumPy, and none of mtlreg's code. Rounding can make a gap of zero negative by some 1e-16.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, softmax, xlogy

from benchmarks import norms

__all__ = [
    "FAMILIES",
    "LOGISTIC",
    "MULTINOMIAL",
    "SQUARED",
    "Family",
    "alpha_max",
    "bounds",
    "objective",
    "relative_gap",
]


class Squared:
    """``(y - eta)^2 / 2``."""

    title = "squared loss"

    def value(self, Y, eta):
        return np.vdot(Y - eta, Y - eta) / 2

    def residual(self, Y, eta):
        return Y - eta

    def best_dual(self, Y, R, limit):
        """The largest ``-sum loss*(y, -s R)`` for 0 <= s <= limit."""
        along, square = np.vdot(Y, R), np.vdot(R, R)
        s = min(max(along / square, 0.0), limit) if square > 0 else 0.0
        return s * along - s**2 * square / 2


class Logistic:
    """``log(1 + exp(eta)) - y eta`` for y of 0 and 1."""

    title = "logistic loss"

    def value(self, Y, eta):
        return np.logaddexp(0.0, eta).sum() - np.vdot(Y, eta)

    def residual(self, Y, eta):
        return Y - expit(eta)

    def best_dual(self, Y, R, limit):
        # entropy of the probabilities y - s R: it increases with s up to 1 near the optimum
        q = Y - min(limit, 1.0) * R
        return -(xlogy(q, q) + xlogy(1 - q, 1 - q)).sum()


class Multinomial:
    """``log sum_k exp(eta_k) - eta_y``, y as a row of zeros and a one."""

    title = "multinomial loss"

    def value(self, Y, eta):
        return np.logaddexp.reduce(eta, axis=1).sum() - np.vdot(Y, eta)

    def residual(self, Y, eta):
        return Y - softmax(eta, axis=1)

    def best_dual(self, Y, R, limit):
        q = Y - min(limit, 1.0) * R
        return -xlogy(q, q).sum()


SQUARED, LOGISTIC, MULTINOMIAL = Squared(), Logistic(), Multinomial()


@dataclass(frozen=True)
class Family:
    """A norm, a loss, and whether every task has rows of its own."""

    norm: object
    loss: object = SQUARED
    own: bool = False

    @property
    def title(self):
        return f"{self.norm.title}, {self.loss.title}" + (", own X for each task" if self.own else "")


FAMILIES = {
    "l21": Family(norms.L21),
    "l1": Family(norms.L1),
    "l1linf": Family(norms.L1LINF),
    "trace": Family(norms.TRACE),
    "dirty": Family(norms.Dirty("dirty, l1/l2 + l1", 2.0)),
    "dirty_linf": Family(norms.Dirty("dirty, l1/linf + l1", np.inf)),
    "logistic": Family(norms.L21, LOGISTIC),
    "multinomial": Family(norms.L21, MULTINOMIAL),
    "own": Family(norms.L21, own=True),
}


def alpha_max(problem):
    """The smallest alpha for which W = 0 is optimal."""
    family = FAMILIES[problem.family]
    at_zero = family.loss.residual(problem.targets, np.zeros(problem.targets.shape))
    return family.norm.dual(problem.correlations(at_zero)) / problem.size


def objective(problem, alpha, W):
    """P(W)."""
    family = FAMILIES[problem.family]
    W = np.asarray(W, dtype=np.float64)
    return family.loss.value(problem.targets, problem.predictors(W)) / problem.size + alpha * family.norm.value(W)


def bounds(problem, alpha, W):
    """``P(W) / P(0)`` and ``D(V) / P(0)`` for the best V along the residual of W."""
    family, targets, m = FAMILIES[problem.family], problem.targets, problem.size
    W = np.asarray(W, dtype=np.float64)
    eta = problem.predictors(W)
    primal = family.loss.value(targets, eta) / m + alpha * family.norm.value(W)
    residual = family.loss.residual(targets, eta)
    steepest = family.norm.dual(problem.correlations(residual)) / m
    dual = family.loss.best_dual(targets, residual, alpha / steepest if steepest > 0 else np.inf) / m
    at_zero = family.loss.value(targets, np.zeros(targets.shape)) / m
    return float(primal / at_zero), float(dual / at_zero)


def relative_gap(problem, alpha, W):
    """``(P(W) - D(V)) / P(0)`` for the best V along the residual of W."""
    primal, dual = bounds(problem, alpha, W)
    return primal - dual
