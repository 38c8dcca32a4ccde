"""Squared loss by the columns of the design and the residual: rows one at a time, or in blocks.

Dense columns that all tasks share, or sparse ones. What `mtlreg.solvers.descent` asks of a loss: ``residual`` (a state
of the sweeps at given coefficients), ``loss`` (of such a state), and ``sweep``.
"""

from __future__ import annotations

import copy

import numpy as np
from scipy import sparse

from mtlreg.designs import StackedDesign
from mtlreg.kernels import for_array
from mtlreg.solvers._base import check_finite
from mtlreg.solvers.gram import BLOCK, FEWEST
from mtlreg.validation import is_sparse

__all__ = ["Blocks", "Columns", "has_blocks"]


def has_blocks(problem):
    """Whether dense columns are the same for all tasks, and these enough for matrix products."""
    design = problem.design
    return problem.one_gram and not is_sparse(design.X) and design.n_columns >= FEWEST


class Columns:
    """The design's columns as the sweep kernel takes them, with the weights folded in where rows share one."""

    def __init__(self, problem):
        design = _without_offset(problem.design)
        self.problem = problem
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part
        stacked = isinstance(design, StackedDesign)
        weights = problem.weights
        common = stacked or weights.shape[1] == 1
        centre = design.centre
        explicit = not is_sparse(design.X) and (centre is None or centre.shape[2] == 1)
        self.root = np.sqrt(weights) if common else None
        n_columns, dtype = design.n_columns, design.dtype
        self.M = np.ones((1, n_columns), dtype) if common else np.ascontiguousarray(weights)
        self.starts = np.asarray(design.starts if stacked else [], dtype=np.int64)
        scale = 1.0 if design.inverse_scale is None else design.inverse_scale
        self.scale = np.ascontiguousarray(np.broadcast_to(scale, design.shape_w).astype(dtype))
        X = self._explicit(design) if explicit else design.X
        self._store(X)
        self._free(problem, design, explicit or centre is None)
        if explicit:
            sums = design.adjoint(X * X, weights) * self.scale**2
        else:
            sums = np.broadcast_to(design.square_sums(problem.column_weights), design.shape_w)
        self.curvature = sums.max(axis=1).astype(np.float64) * (1 + 1e-12)
        check_finite(float(self.curvature.max(initial=0.0)))

    @staticmethod
    def _explicit(design):
        """X - U K, formed."""
        if design.centre is None:
            return design.X
        return design.X - design.U @ design.centre[:, :, 0]

    def _store(self, X):
        p = X.shape[1]
        root = None if self.root is None else self.root.reshape(-1)
        if is_sparse(X):
            X = sparse.csc_array(X, copy=True)
            X.sort_indices()
            if root is not None:
                X.data *= root[X.indices]
            self.data, self.indices = X.data, X.indices.astype(np.int64)
            self.indptr = X.indptr.astype(np.int64)
            return
        rows = np.array(X.T, order="C")
        if root is not None:
            rows *= root
        self.data, self.indices = rows.reshape(-1), np.empty(0, np.int64)
        self.indptr = np.arange(p + 1, dtype=np.int64) * X.shape[0]

    def _free(self, problem, design, formed):
        """S, K and A of the kernel: empty where ``X - U K`` is formed."""
        p, n_columns = design.shape_w
        if formed:
            self.S = np.zeros((0, n_columns), design.dtype)
            self.K = self.A = np.zeros((p, 0, n_columns), design.dtype)
            return
        k = design.U.shape[1]
        self.S = np.zeros((k, n_columns), design.dtype)
        K = np.broadcast_to(np.transpose(design.centre, (1, 0, 2)), (p, k, n_columns))
        XU = np.stack(
            [
                np.broadcast_to(
                    design.adjoint(design.X, problem.column_weights * design.rows_to_columns(design.U[:, i])),
                    (p, n_columns),
                )
                for i in range(k)
            ],
            axis=1,
        )
        self.K, self.A = np.ascontiguousarray(K), np.ascontiguousarray(XU)

    def residual(self, W, Z):
        """The weighted residual at W, from scratch."""
        problem = self.problem
        eta = problem.predictors(W)
        if Z is not None:
            eta = eta + problem.free.predictor(Z)
        r = problem.y - eta
        r = r * (problem.weights if self.root is None else self.root)
        self.S[...] = 0
        return np.ascontiguousarray(r.reshape(r.shape[0], -1), dtype=problem.design.dtype)

    def loss(self, residual, W):
        """The loss a residual (with what is tracked in S) stands for, that at W."""
        problem = self.problem
        r = residual
        if self.S.size and np.any(self.S):
            shift = problem.free.predictor(self.S)
            factor = problem.weights if self.root is None else self.root
            r = r + (shift * factor).reshape(r.shape)
        if self.root is not None:
            return 0.5 * float(np.vdot(r, r) if r.dtype == np.float64 else np.sum(r * r, dtype=np.float64))
        safe = np.where(problem.weights > 0, problem.weights, 1)
        return 0.5 * float(np.sum(r * r / safe, dtype=np.float64))

    def sweep(self, residual, parts, kernels):
        """One sweep, in place; returns the largest change."""
        columns = (self.data, self.indices, self.indptr, self.starts, self.M)
        free = (self.S, self.K, self.A)
        return for_array(residual).sweep_rows(*columns, residual, *free, self.scale, self.curvature, parts, kernels)


class Blocks(Columns):
    """The same for dense columns that all tasks share, a block of rows at a time: two matrix products a block.

    Inside a block the correlations follow from its Gram matrix, so that the iterates are those of single rows.
    """

    def __init__(self, problem):
        super().__init__(problem)
        p = problem.design.n_features
        self.rows = self.data.reshape(p, -1)
        self.rows *= self.scale[:, :1]
        self.grams = np.zeros((-(-p // BLOCK), BLOCK, BLOCK), self.rows.dtype)
        for block, G in enumerate(self.grams):
            rows = self.rows[block * BLOCK : (block + 1) * BLOCK]
            G[: len(rows), : len(rows)] = rows @ rows.T
        self.products = 2 * self.rows.size * problem.design.n_columns  # in a sweep

    def on_rows(self, rows, W, residual):
        """Product with the Gram matrix of some rows, and their correlations at W."""
        X = self.rows[rows]
        return lambda S: X @ (X.T @ S), X @ residual

    def products_on(self, n_rows):
        """Number of multiplications in a product of `on_rows`."""
        return 2 * n_rows * self.rows.shape[1] * self.problem.design.n_columns

    def sweep(self, residual, parts, kernels):
        arrays = (self.rows, self.grams, self.curvature, residual)
        return for_array(residual).sweep_blocks(*arrays, parts, kernels)


def _without_offset(design):
    """The same design with what the columns of K have in common taken out of X.

    Where K differs from task to task, ``X - U K`` cannot be formed; but then a large mean of X would be added to the
    residual and tracked apart, and their difference would have lost its digits.
    """
    if is_sparse(design.X) or design.centre is None or design.centre.shape[2] == 1:
        return design
    common = design.centre.mean(axis=2, keepdims=True)
    shifted = copy.copy(design)
    shifted.X, shifted.centre = design.X - design.U @ common[:, :, 0], design.centre - common
    return shifted
