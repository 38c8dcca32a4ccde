"""Sweeps over dense columns that all tasks share, where every label has a weight of its own: proximal Newton's models.

Nothing of the columns depends on the weights; one copy serves the models of all steps.
"""

from __future__ import annotations

import numpy as np

from mtlreg.data._tables import row_chunks
from mtlreg.designs import SharedDesign
from mtlreg.kernels import for_array
from mtlreg.solvers._base import check_finite
from mtlreg.solvers.columns import Columns
from mtlreg.validation import is_sparse

__all__ = ["Weighted", "handles", "share"]


def handles(problem):
    """Whether the problem, of squared loss, has dense shared columns, weights by column, and rows enough to pay."""
    design = problem.design
    return (
        type(design) is SharedDesign
        and not is_sparse(design.X)
        and problem.weights.shape[1] == design.n_columns > 1
        and design.n_rows > design.n_columns
    )


def share(problem, model):
    """Give a model what is known of its design's columns under any weights."""
    if handles(model):
        model.known("shifted", lambda: problem.known("shifted", lambda: _shifted(model.design)))


def _shifted(design):
    """Columns near zero mean, one after another: ``(X - U C)'``, with C (k, p) what K's columns have in common.

    Where K differs from task to task, ``X - U K`` cannot be formed; but a large mean of X would be added to the
    residual and tracked apart, and their difference would have lost its digits.
    """
    if design.centre is None:
        return np.ascontiguousarray(design.X.T), None
    common, rows = design.centre.mean(axis=2), np.array(design.X.T, order="C")
    for block in row_chunks(*rows.shape):
        rows[block] -= common[:, block].T @ design.U.T
    return rows, common


class Weighted(Columns):
    """The design's columns as `mtlreg.kernels.cpu.weighted.sweep_weighted` takes them."""

    def __init__(self, problem):
        design, weights = problem.design, problem.weights
        (p, n_columns), dtype = design.shape_w, design.dtype
        self.problem, self.root = problem, None
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part
        self.data, common = problem.known("shifted", lambda: _shifted(design))
        self.M = np.ascontiguousarray(weights.T)
        scale = 1.0 if design.inverse_scale is None else design.inverse_scale
        self.scale = np.ascontiguousarray(np.broadcast_to(scale, design.shape_w).astype(dtype))
        sums = raw = np.concatenate([self.data[block] ** 2 @ weights for block in row_chunks(p, design.n_rows)])
        k = 0 if common is None else len(common)
        self.S = np.zeros((k, n_columns), dtype)
        self.K, self.A = np.zeros((p, k, n_columns), dtype), np.zeros((p, k, n_columns), dtype)
        for a in range(k):
            self.K[:, a] = design.centre[a] - common[a][:, None]
            self.A[:, a] = self.data @ (weights * design.U[:, a : a + 1])
            sums = sums - self.K[:, a] * self.A[:, a]
        # what is left of a column inside the span of U is rounding, not signal
        sums = np.where(sums > 64 * np.finfo(dtype).eps * raw, sums, 0) * self.scale**2
        self.curvature = sums.max(axis=1).astype(np.float64) * (1 + 1e-12)
        check_finite(float(self.curvature.max(initial=0.0)))

    def residual(self, W, Z):
        """The weighted residual at W, from scratch, by column."""
        return np.ascontiguousarray(super().residual(W, Z).T)

    def loss(self, residual, W):
        """The loss a residual (with what is tracked in S) stands for, that at W."""
        return super().loss(residual.T, W)

    def sweep(self, residual, parts, kernels):
        """One sweep, in place; returns the largest change."""
        free = (self.S, self.K, self.A)
        sweep = for_array(residual).sweep_weighted
        return sweep(self.data, self.M, residual, *free, self.scale, self.curvature, parts, kernels)
