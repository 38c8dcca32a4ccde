"""Squared loss by the Gram matrix of a few features: a row's correlation is kept, not computed.

With G = X' X and B = X' Y (columns centred, scaled and weighted), ``Q = B - G W`` holds the correlations of the
residual with all features, and a change of one row of W costs ``n_features n_columns``, whatever the number of rows of
data; a row that stays zero costs next to nothing. For a working set with fewer features than the data have rows.
"""

from __future__ import annotations

import numpy as np

from mtlreg.kernels import for_array
from mtlreg.solvers._base import check_finite
from mtlreg.validation import is_sparse

__all__ = ["Gram", "GramBlocks", "GramRows", "handles", "has_gram", "pays_in_blocks", "share", "weighted_columns"]

LARGEST = 3000  # features of a Gram matrix
BLOCK = 32  # rows swept between two matrix products
FEWEST = 4  # columns for which those pay


def handles(problem):
    """Whether the problem, of squared loss, has one Gram matrix for all tasks, and that is worth forming."""
    return has_gram(problem) and problem.design.n_features <= min(problem.design.n_rows, LARGEST)


def has_gram(problem):
    """Whether there is one Gram matrix for all tasks."""
    design = problem.design
    return problem.one_gram and not is_sparse(design.X) and design.dtype == problem.xp.float64


def pays_in_blocks(problem):
    """Whether features and columns are enough for matrix products."""
    return problem.design.n_columns >= FEWEST and problem.design.n_features > 2 * BLOCK


class Gram:
    """G and B of a problem, as `mtlreg.solvers.descent` sweeps over them."""

    def __init__(self, problem):
        self.G = problem.known("gram", lambda: GramRows(problem).take(np.arange(problem.design.n_features)))
        self.B = -problem.null_gradient
        self.curvature = np.diag(self.G) * (1 + 1e-12)
        check_finite(float(self.curvature.max(initial=0.0)))
        self.problem = problem
        self.products = self.G.size * problem.design.n_columns  # in a sweep
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part

    def residual(self, W, Z):
        """Q at W; free directions are orthogonal to every column."""
        return self.B - self.G @ self.problem.total(W)

    def loss(self, Q, W):
        """The loss at W, but for a constant."""
        return -0.5 * float(np.sum(self.problem.total(W) * (self.B + Q)))

    def on_rows(self, rows, W, Q):
        """Product with the Gram matrix of some rows, outside which W is zero, and their correlations at W."""
        G = self.G[np.ix_(rows, rows)]
        return lambda S: G @ S, self.B[rows] - G @ W[rows]

    def products_on(self, n_rows):
        """Number of multiplications in a product of `on_rows`."""
        return n_rows**2 * self.B.shape[1]

    def sweep(self, Q, parts, kernels):
        """One sweep, in place; returns the largest change."""
        return for_array(Q).sweep_gram(self.G, self.curvature, Q, parts, kernels)


class GramBlocks(Gram):
    """The same a block of rows at a time: their correlations follow from W, by one matrix product a block."""

    def residual(self, W, Z):
        """What is the same for every W."""
        return self.B

    def loss(self, B, W):
        """The loss at W, but for a constant."""
        total = self.problem.total(W)
        return float(np.vdot(total, 0.5 * (self.G @ total) - B))

    def sweep(self, B, parts, kernels):
        """One sweep, in place; returns the largest change."""
        return for_array(B).sweep_gram_blocks(self.G, B, self.curvature, BLOCK, parts, kernels)


class GramRows:
    """Gram matrix of the features asked for so far, extended when others are."""

    def __init__(self, problem):
        self.problem = problem
        self._forget()

    def _forget(self):
        self.features = np.empty(0, dtype=np.intp)
        self.columns = np.empty((0, self.problem.design.n_rows))
        self.G = np.empty((0, 0))

    def _fits(self, n_features):
        return n_features <= LARGEST

    def take(self, features):
        """The Gram matrix of some features."""
        new = np.setdiff1d(features, self.features)
        if not self._fits(len(self.features) + len(new)):
            self._forget()
            new = features
        if len(new):
            self._add(new)
            self.features = np.concatenate([self.features, new])
        position = np.empty(self.problem.design.n_features, dtype=np.intp)
        position[self.features] = np.arange(len(self.features))
        at = position[features]
        return self.G[np.ix_(at, at)]

    def _add(self, new):
        columns = weighted_columns(self.problem, new)
        cross, own = columns @ self.columns.T, columns @ columns.T
        self.G = np.block([[self.G, cross.T], [cross, own]])
        self.columns = np.concatenate([self.columns, columns])


def weighted_columns(problem, features):
    """Columns of these features, centred, scaled and weighted: (n_features, n_rows)."""
    design = problem.design
    columns = np.ascontiguousarray(design.gather(features).T)
    if design.centre is not None:
        columns -= design.centre[:, features, 0].T @ design.U.T
    if design.inverse_scale is not None:
        columns *= design.inverse_scale[features]
    return columns * np.sqrt(problem.weights[:, 0])


def share(problem, sub, features):
    """Give the problem restricted to some features what is known of the whole."""
    rows = problem.known("gram_rows", lambda: GramRows(problem))
    sub.known("gram", lambda: rows.take(features))
