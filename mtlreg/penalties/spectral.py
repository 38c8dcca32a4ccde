"""Penalties on the singular values of W: tasks in a common subspace.

Singular values are those of W as a whole, so that features and tasks play the same part; a function of them alone does
not change when the tasks are rotated.
"""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import HomogeneousPenalty, Penalty, RidgedPenalty, check_number

__all__ = ["SquaredNorm", "SquaredTraceNorm", "TraceBall", "TraceNorm", "total"]

LOOSE = {"tol": 1e-3, "max_iter": 1000, "warn": False}  # solutions that only place a grid


@dataclass(eq=False, repr=False)
class TraceNorm(HomogeneousPenalty):
    """``Omega(W) = alpha sum_i sigma_i(W) + (alpha_ridge / 2) |W|_F^2``, sigma the singular values.

    Low rank: the tasks' coefficients are combinations of a few patterns.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    References
    ----------
    Ji & Ye (2009), An accelerated gradient method for trace norm minimization, ICML.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0
    rotation_invariant = True
    left_invariant = True
    trace_power = 1

    def norm_value(self, W):
        return float(self.alpha) * total(for_array(W).singular_values(W)) if self.alpha else 0.0

    def norm_prox(self, W, step):
        return for_array(W).shrink_singular_values(W, float(self.alpha) * step)

    def norm_feasible_scale(self, V):
        largest = for_array(V).largest_singular_value(V)
        return float(self.alpha) / largest if largest > self.alpha else 1.0

    def alpha_max(self, G):
        return for_array(G).largest_singular_value(G)


class SquaredNorm(RidgedPenalty):
    """What penalties have in common that grow with the square of W: they shrink, but never to zero."""

    alpha: float
    alpha_ridge: float
    left_invariant = True

    def norm_feasible_scale(self, V):
        return 1.0 if self.alpha > 0 or not bool(array_namespace(V).any(V != 0)) else 0.0

    def norm_conjugate(self, V):
        if self.alpha > 0:
            return self._conjugate(V)
        return 0.0 if self.norm_feasible_scale(V) == 1 else float("inf")

    def _conjugate(self, V):
        """`norm_conjugate` for alpha > 0."""
        raise NotImplementedError

    def alpha_range(self, problem, eps):
        """From ``eps`` times the loss's largest curvature in the dearest direction to ten times in the cheapest."""
        cheap, dear = self._curvatures()
        largest = problem.with_penalty(self).lipschitz()
        return eps * largest / dear, 10 * largest / cheap

    def _curvatures(self):
        """The least and the largest curvature of the penalty by direction, at alpha = 1."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class SquaredTraceNorm(SquaredNorm):
    """``Omega(W) = (alpha / 2) (sum_i sigma_i(W))^2 + (alpha_ridge / 2) |W|_F^2``, sigma the singular values.

    Multi-task feature learning: ``(alpha / 2) min_D tr(W' D^-1 W)`` over D >= 0 with ``tr D <= 1``, features that all
    tasks share and that are learned with them. The solutions are those of `TraceNorm` at strength
    ``alpha sum_i sigma_i``; zero is never among them, so that there is no ``alpha_max``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    References
    ----------
    Argyriou, Evgeniou & Pontil (2008), Convex multi-task feature learning, Machine Learning 73.
    """

    alpha: float = 1.0
    alpha_ridge: float = 0.0
    rotation_invariant = True
    trace_power = 2

    def norm_value(self, W):
        return 0.5 * float(self.alpha) * total(for_array(W).singular_values(W)) ** 2 if self.alpha else 0.0

    def norm_prox(self, W, step):
        xp = array_namespace(W)
        U, s, Vh = for_array(W).thin_svd(W)
        weight = float(self.alpha) * step
        # a soft threshold of weight times the sum of what remains; the right number of these gives the largest
        counts = xp.arange(1, s.shape[0] + 1, dtype=s.dtype)
        threshold = xp.max(xp.cumulative_sum(s) * (weight / (1 + weight * counts)))
        return (U * xp.maximum(s - threshold, 0.0)) @ Vh

    def _conjugate(self, V):
        return for_array(V).largest_singular_value(V) ** 2 / (2 * float(self.alpha))

    def alpha_range(self, problem, eps):
        """The image of ``[eps, 0.95]`` times the ``alpha_max`` of `TraceNorm`, whose solutions are the same.

        Strength l of the trace norm is ``l / sum_i sigma_i`` of its solution here. Near ``alpha_max`` that is one
        step along the gradient's largest singular pair.
        """
        from mtlreg.solvers import solve

        xp, start = problem.xp, 0.95
        trace = TraceNorm(1.0, self.alpha_ridge)
        plain = problem.with_penalty(trace)
        top = plain.alpha_max
        if top == 0:
            return 0.0, 0.0
        U, _, Vh = for_array(problem.null_gradient).thin_svd(problem.null_gradient)
        eta = plain.predictors(U[:, :1] @ Vh[:1, :])
        curvature = float(xp.sum(plain.curvature(plain.null.eta) * eta**2, dtype=xp.float64)) + self.alpha_ridge
        high = start / (1 - start) * curvature
        size = trace.norm_value(solve(plain.with_alpha(eps * top), **LOOSE).x)
        return min(eps * high, eps * top / size if size else high), high


@dataclass(eq=False, repr=False)
class TraceBall(Penalty):
    """``Omega(W) = 0 if sum_i sigma_i(W) <= radius else inf``, sigma the singular values: low rank as a constraint.

    A constraint has no strength: as part of an `InfimalConvolution` it is what it is under any ``alpha``, and alone it
    is searched over ``radius``.

    Parameters
    ----------
    radius : float, default=1.0
        > 0.

    References
    ----------
    Chen, Liu & Ye (2010), Learning incoherent sparse and low-rank patterns from multiple tasks, KDD.
    """

    radius: float = 1.0
    alpha = 1.0
    has_strength = False
    rotation_invariant = True

    def value(self, W):
        size = total(for_array(W).singular_values(W))
        return 0.0 if size <= float(self.radius) * (1 + _rounding(W)) else float("inf")

    def prox(self, W, step):
        xp = array_namespace(W)
        U, s, Vh = for_array(W).thin_svd(W)
        # the projection on a simplex: of the thresholds for so many values, the right number's is the largest
        counts = xp.arange(1, s.shape[0] + 1, dtype=s.dtype)
        inside = float(self.radius) * (1 - _rounding(W))
        threshold = xp.max((xp.cumulative_sum(s) - inside) / counts)
        if threshold <= 0:
            return xp.asarray(W, copy=True)
        s = xp.maximum(s - threshold, 0.0)
        return (U * (s * (inside / max(total(s), inside)))) @ Vh  # rounding of a large s is large against the radius

    def conjugate(self, V):
        return float(self.radius) * for_array(V).largest_singular_value(V)

    def feasible_scale(self, V):
        return 1.0

    def alpha_max(self, G):
        raise NotImplementedError(f"{_NO_STRENGTH}: no alpha makes W = 0 optimal.")

    def alpha_range(self, problem, eps):
        raise NotImplementedError(f"{_NO_STRENGTH}: search over radius instead of alpha.")

    def check(self):
        super().check()
        check_number(self, "radius", low=0.0, low_open=True, finite=True)


_NO_STRENGTH = "TraceBall is a constraint and has no strength"


def total(a):
    """Sum of all entries, a float."""
    xp = array_namespace(a)
    return float(xp.sum(a, dtype=xp.float64))


def _rounding(W):
    """A bound of the relative error in the sum of the singular values."""
    return (8 + sum(W.shape)) * float(array_namespace(W).finfo(W.dtype).eps)
