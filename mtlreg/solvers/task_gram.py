"""Squared loss where each task has rows of its own: correlations computed, or kept by Gram matrices.

As `mtlreg.solvers.gram`, with a Gram matrix G_t for every task: a change of one row of W costs
``n_features n_columns``, whatever the number of rows of data. Every task has its own curvature.
"""

from __future__ import annotations

import numpy as np

from mtlreg.designs import StackedDesign, inside_span
from mtlreg.kernels import for_array
from mtlreg.solvers._base import check_finite
from mtlreg.solvers.gram import GramRows
from mtlreg.validation import is_sparse

__all__ = ["TaskColumns", "TaskGram", "TaskGramRows", "columns", "handles", "has_gram", "share"]

LARGEST = 2**25  # entries of all Gram matrices
WORTH = 1.0  # times the mean number of rows of a task: features up to which Gram matrices pay


def handles(problem):
    """Whether the problem, of squared loss and with one column a task, has dense rows of each task."""
    design = problem.design
    return isinstance(design, StackedDesign) and not is_sparse(design.X)


def has_gram(problem):
    """Whether Gram matrices of each task are worth forming."""
    design = problem.design
    p, n_tasks = design.shape_w
    return handles(problem) and p * n_tasks <= WORTH * design.n_rows and p * p * n_tasks <= LARGEST


def columns(problem):
    """The problem as `mtlreg.solvers.descent` sweeps over it."""
    return TaskGram(problem) if has_gram(problem) else TaskColumns(problem)


def share(problem, sub, features):
    """Give the problem restricted to some features what is known of the whole."""
    rows = problem.known("task_gram_rows", lambda: TaskGramRows(problem))
    sub.known("task_gram", lambda: rows.take(features))


def formed(problem, features=slice(None)):
    """Columns of these features, centred, scaled and weighted: (n_rows, n_features)."""
    design = problem.design
    X = np.array(design.X[:, features])
    X *= np.sqrt(problem.weights)[:, None]
    if design.centre is not None:
        U = design.U * np.sqrt(problem.weights)[:, None]
    for t, (start, stop) in enumerate(zip(design.starts, design.starts[1:], strict=False)):
        block = X[start:stop]
        if design.centre is not None:
            size = (block**2).sum(axis=0)
            block -= U[start:stop] @ design.centre[:, features, min(t, design.centre.shape[2] - 1)]
            block[:, inside_span((block**2).sum(axis=0), size)] = 0.0
        if design.inverse_scale is not None:
            block *= design.inverse_scale[features, min(t, design.inverse_scale.shape[1] - 1)]
    return X


class TaskColumns:
    """The features one after another, with the residual."""

    def __init__(self, problem):
        self.problem = problem
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part
        X = formed(problem)
        self.curvature = problem.design.adjoint(X * X, np.ones_like(problem.weights)).astype(np.float64) * (1 + 1e-12)
        check_finite(float(self.curvature.max(initial=0.0)))
        self.X = np.ascontiguousarray(X.T)
        self.root = np.sqrt(problem.weights)
        self.starts = np.asarray(problem.design.starts, dtype=np.int64)

    def residual(self, W, Z):
        """The weighted residual at W, from scratch."""
        eta = self.problem.predictors(W)
        if Z is not None:
            eta = eta + self.problem.free.predictor(Z)
        return (self.problem.y - eta) * self.root

    def loss(self, residual, W):
        """The loss a residual stands for, that at W."""
        return 0.5 * float(np.sum(residual * residual, dtype=np.float64))

    def sweep(self, residual, parts, kernels):
        """One sweep, in place; returns the largest change."""
        return for_array(residual).sweep_task_rows(self.X, self.starts, residual, self.curvature, parts, kernels)


class TaskGram:
    """Gram matrices G (p, p, n_columns) and B = D' y, with the correlations Q = B - G W."""

    def __init__(self, problem):
        self.G = problem.known("task_gram", lambda: TaskGramRows(problem).take(np.arange(problem.design.n_features)))
        self.B = -problem.null_gradient
        self.curvature = np.einsum("jjt->jt", self.G).astype(np.float64) * (1 + 1e-12)
        check_finite(float(self.curvature.max(initial=0.0)))
        self.problem = problem
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part

    def residual(self, W, Z):
        """Q at W; free directions are orthogonal to every column."""
        total = self.problem.total(W)
        Q = np.array(self.B)
        for j in np.flatnonzero(total.any(axis=1)):
            Q -= self.G[j] * total[j]
        return Q

    def loss(self, Q, W):
        """The loss at W, but for a constant."""
        return -0.5 * float(np.sum(self.problem.total(W) * (self.B + Q), dtype=np.float64))

    def sweep(self, Q, parts, kernels):
        """One sweep, in place; returns the largest change."""
        return for_array(Q).sweep_task_gram(self.G, self.curvature, Q, parts, kernels)


class TaskGramRows(GramRows):
    """Gram matrices (n_features, n_features, n_columns) of the features asked for so far."""

    def _forget(self):
        design = self.problem.design
        self.features = np.empty(0, dtype=np.intp)
        self.columns = np.empty((design.n_rows, 0), design.dtype)
        self.G = np.empty((0, 0, design.n_columns), design.dtype)

    def _fits(self, n_features):
        return n_features**2 * self.problem.design.n_columns <= LARGEST

    def _add(self, new):
        k, n_features = len(self.features), len(self.features) + len(new)
        self.columns = np.concatenate([self.columns, formed(self.problem, new)], axis=1)
        G = np.empty((n_features, n_features, self.G.shape[2]), self.G.dtype)
        G[:k, :k] = self.G
        starts = self.problem.design.starts
        for t, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
            block = self.columns[start:stop]
            G[:, k:, t] = block.T @ block[:, k:]
        G[k:, :k] = G[:k, k:].transpose(1, 0, 2)
        self.G = G
