"""Squared loss with one Gram matrix for all tasks, in the basis of its eigenvectors: spectral penalties.

With ``D = P diag(d) E'`` the design (centred, scaled and weighted) and ``V = E' W`` the loss is

    sum_i lambda_i |V_i|^2 / 2  -  <B, V>  +  constant,     lambda = d^2,  B = diag(d) P' Y,

its gradient elementwise. A penalty of the singular values is the same in V, and no smaller in any W outside the range
of E; so V has as many rows as D has rank. The basis is found once for all strengths.

Powers of the trace norm are minimised over two factors of V (`mtlreg.solvers.factors`), penalties with clusters over V
and the quadratic form that they relax to (`mtlreg.solvers.majorised`), others by FISTA.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import is_numpy_array

from mtlreg.designs import SharedDesign
from mtlreg.problem import Problem
from mtlreg.solvers._base import State, check_finite
from mtlreg.solvers.alternating import alternate
from mtlreg.solvers.factors import FactoredProblem
from mtlreg.solvers.fista import fista
from mtlreg.solvers.gram import has_gram, weighted_columns
from mtlreg.solvers.majorised import MajorisedProblem

__all__ = ["Basis", "handles", "pays", "spectral"]

SMALL = 500  # rows or columns of a design whose decomposition costs little
WIDE = 10  # columns for each row of V up to which their own Gram matrix is small enough
SHARE = 100  # how many gradients may cost as much as a larger one


def handles(problem):
    """Whether the method applies: squared loss, one Gram matrix, a penalty that no rotation of the features changes."""
    return (
        problem.losses.quadratic
        and problem.separable
        and has_gram(problem)
        and is_numpy_array(problem.design.X)
        and problem.penalty.left_invariant
        and problem.coupling is None
    )


def pays(problem):
    """Whether the decomposition costs little, or no more than some gradients do."""
    design = problem.design
    n, p = design.n_rows, design.n_features
    return min(n, p) <= SMALL or min(n, p) ** 2 <= SHARE * max(n, p) * design.n_columns


def spectral(problem, state, *, max_iter, tolerance):
    """Yield states; ``state.n_iter`` counts sweeps over the factors, or proximal steps."""
    yield state
    basis = problem.known("eigenbasis", lambda: Basis(problem))
    if basis.rank == 0:  # X holds nothing that is not free
        state.x, state.stalled = problem.zero, True
        yield state
        return
    model, start = _model(problem.penalty, basis), basis.forward(state.x)
    if model is None:
        steps = fista(basis.problem(problem), State(start), max_iter=max_iter, tolerance=tolerance)
        next(steps)  # the start
        for inner in steps:
            state.x, state.n_iter, state.stalled = basis.backward(inner.x), inner.n_iter, inner.stalled
            yield state
    else:
        for point, n_iter, stalled in alternate(model, model.start(start), max_iter=max_iter, tolerance=tolerance):
            state.x = model.coefficients(point, basis.backward)
            state.n_iter, state.stalled = n_iter, stalled
            yield state


def _model(penalty, basis):
    """The problem in V for alternating minimisation; None: there is none."""
    n_columns = basis.B.shape[1]
    if penalty.trace_power is not None and penalty.alpha > 0:
        return FactoredProblem(basis.curvature + penalty.alpha_ridge, basis.B, penalty.alpha, penalty.trace_power)
    if hasattr(penalty, "majorant") and 1 < n_columns <= WIDE * basis.rank:
        return MajorisedProblem(basis.curvature + penalty.alpha_ridge, basis.B, penalty)
    return None


class Basis:
    """E, lambda and B of the module's text.

    Attributes
    ----------
    curvature : ndarray (rank,)
        lambda in ascending order, without what is rounding.
    B : ndarray (rank, n_columns)
    """

    def __init__(self, problem):
        design = problem.design
        self.design, self.root = design, np.sqrt(problem.weights)
        self.wide = design.n_features > design.n_rows
        columns = weighted_columns(problem, np.arange(design.n_features))  # D', (n_features, n_rows)
        gram = columns.T @ columns if self.wide else columns @ columns.T
        check_finite(float(np.trace(gram)))
        values, vectors = np.linalg.eigh(gram)
        keep = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
        self.curvature, self.vectors = values[keep], vectors[:, keep]  # P of a wide design, else E
        self.d = np.sqrt(self.curvature)[:, None]
        if self.wide:
            # not by the gradient at zero, of which division by d would leave rounding
            counted = self.root > 0
            Y = np.where(counted, -problem.null.u / np.where(counted, self.root, 1.0), 0.0)
            self.B = self.d * (self.vectors.T @ Y)
        else:
            self.B = -(self.vectors.T @ problem.null_gradient)

    @property
    def rank(self):
        """Number of rows of V."""
        return len(self.curvature)

    def forward(self, W):
        """``E' W``."""
        if self.wide:
            return (self.vectors.T @ (self.root * self.design.matvec(W))) / self.d
        return self.vectors.T @ W

    def backward(self, V):
        """``E V``; of any number of columns."""
        if self.wide:
            return self.design.rmatvec(self.root * (self.vectors @ (V / self.d)))
        return self.vectors @ V

    def problem(self, problem):
        """The problem in V, but for a constant."""
        design = _Diagonal(self.d, problem.design.n_columns)
        return Problem(design, problem.losses, self.B / self.d, np.ones((self.rank, 1)), problem.penalty)


class _Diagonal(SharedDesign):
    """``diag(d)``, d (rank, 1)."""

    @property
    def n_features(self):
        return self.n_rows

    def matvec(self, W):
        return self.X * W

    def rmatvec(self, R):
        return self.X * R

    def largest_eigenvalue(self, weights, n_iter=30):
        return float(np.max(weights * self.X**2))
