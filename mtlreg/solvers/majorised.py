"""Penalties that are a minimum over quadratic ones: alternating minimisation with Anderson extrapolation.

    minimise  sum_i lambda_i |V_i|^2 / 2  -  <B, V>  +  min_S tr(V S V') / 2

For the best S of a V, which singular values tell, the best V is elementwise in the basis of S's eigenvectors.

References
----------
Argyriou, Evgeniou & Pontil (2008), Convex multi-task feature learning, Machine Learning 73, algorithm 1 (for another
set of S).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mtlreg.solvers.alternating import accelerated

__all__ = ["MajorisedProblem"]


class MajorisedProblem:
    """The problem of the module's text; its points are V.

    Parameters
    ----------
    curvature : array (rank,)
        lambda > 0.
    B : array (rank, n_columns)
    penalty : Penalty
        Without its ridge part.
    """

    def __init__(self, curvature, B, penalty):
        self.curvature, self.B, self.penalty = curvature[:, None], B, penalty

    def start(self, V):
        """The point to begin at, given V."""
        return V

    def advance(self, V, n_sweeps):
        """The point after some sweeps, the value there and the gap."""
        at = accelerated(partial(_Point, self), self.best, V, n_sweeps)
        return at.point, at.value, self.gap(at)

    def coefficients(self, V, backward):
        """W of a point, ``backward`` taking the rows of V to those of W."""
        return backward(V)

    def best(self, at):
        """The best V for the S of a point."""
        return ((self.B @ at.vectors) / (self.curvature + at.prices)) @ at.vectors.T

    def gap(self, at):
        """The duality gap at a point."""
        G = self.curvature * at.point - self.B
        return max(at.penalty + self.penalty.norm_conjugate(-G) + float(np.vdot(G, at.point)), 0.0)


class _Point:
    """V, the eigenvalues and eigenvectors of its S, and its objective."""

    def __init__(self, problem, V):
        self.point = V
        self.prices, self.vectors = problem.penalty.majorant(V)
        self.penalty = 0.5 * float(np.sum(self.prices * (V @ self.vectors) ** 2))
        self.value = 0.5 * float(np.sum(problem.curvature * V * V)) - float(np.vdot(problem.B, V)) + self.penalty
