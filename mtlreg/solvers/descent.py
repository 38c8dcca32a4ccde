"""Cyclic block coordinate descent over rows with Anderson extrapolation, for squared loss and row penalties.

The correlations of the rows with the residual are computed, or kept by a Gram matrix (`mtlreg.solvers.gram`).
Of a compound penalty a row is that of all parts together.

References
----------
Liu, Palatucci & Zhang (2009), Blockwise coordinate descent procedures for the multi-task lasso, ICML.
Bertrand & Massias (2021), Anderson acceleration of coordinate descent, AISTATS, algorithm 2.
"""

from __future__ import annotations

import copy

import numpy as np
from scipy import sparse

from mtlreg.designs import StackedDesign
from mtlreg.kernels import for_array
from mtlreg.solvers import gram, support, task_gram
from mtlreg.solvers._base import check_finite

__all__ = ["Columns", "coordinate_descent", "handles"]

SWEEPS = 5  # between extrapolations
CHECK_EVERY = 2  # extrapolations between certificates


def handles(problem):
    """Whether the method applies: squared loss and `has_sweeps`."""
    return problem.losses.quadratic and problem.separable and has_sweeps(problem)


def has_sweeps(problem):
    """Whether there are row sweeps for the problem's penalty, array type and layout."""
    design = problem.design
    one_column = not isinstance(design, StackedDesign) or design.n_columns == len(design.widths)
    return bool(problem.penalty.row_kernels()) and one_column and hasattr(for_array(problem.zero), "sweep_rows")


def coordinate_descent(problem, state, *, max_iter, tolerance):
    """Yield states of block coordinate descent; ``state.n_iter`` counts sweeps."""
    yield state
    for batch, (W, change) in enumerate(batches(problem, state.x, lambda: state.Z), start=1):
        n_iter = batch * SWEEPS
        if batch % CHECK_EVERY == 0 or change == 0 or n_iter >= max_iter:
            state.x, state.n_iter, state.stalled = W, n_iter, change == 0
            yield state


def batches(problem, W, free_coefficients):
    """Yield ``(W, largest change)`` after every `SWEEPS` sweeps and an extrapolation, without end.

    ``free_coefficients()`` is asked for Z before each batch.
    """
    columns = _columns(problem)
    kernels = np.array(problem.penalty.row_kernels(), dtype=np.float64)
    residual = before = None
    while True:
        W, Z = np.array(W, order="C"), free_coefficients()
        parts = W.reshape(len(kernels), *problem.design.shape_w)
        if residual is None or Z is not before:
            residual, before = columns.residual(W, Z), Z
        iterates = [W.copy()]
        for _ in range(SWEEPS):
            change = columns.sweep(residual, parts, kernels)
            iterates.append(W.copy())
        if change > 0:
            W, residual = _ahead(problem, columns, kernels, iterates, residual, Z)
        yield W, change


def _columns(problem):
    """How the correlations of the rows are found: kept, block by block, or one at a time."""
    from mtlreg.solvers import weighted

    if task_gram.handles(problem):
        return task_gram.columns(problem)
    if weighted.handles(problem):
        return weighted.Weighted(problem)
    blocks = problem.design.n_columns >= gram.FEWEST
    if gram.handles(problem):
        return gram.GramBlocks(problem) if blocks and problem.design.n_features > 2 * gram.BLOCK else gram.Gram(problem)
    return Blocks(problem) if blocks and gram.has_gram(problem) else Columns(problem)


def _ahead(problem, columns, kernels, iterates, residual, Z):
    """The best of the last iterate and of what is proposed beyond it, with its residual where known from scratch."""

    def objective(W, state):
        return columns.loss(state, W) + problem.penalty.value(W)

    proposals = [_newton(columns, kernels, iterates, residual), _anderson(problem, columns, iterates)]
    reached, best = objective(iterates[-1], residual), (iterates[-1], None)
    for W in proposals:
        if W is not None:
            state = columns.residual(W, Z)  # begins a new account of the free directions
            value = objective(W, state)
            if value < reached:
                reached, best = value, (W, state)
    return best


def _newton(columns, kernels, iterates, residual):
    """Newton's step on the rows that are not zero, where these have not changed in the last sweep; else None."""
    W = iterates[-1]
    if not support.handles(kernels) or not hasattr(columns, "on_rows"):
        return None
    rows = for_array(W).active_rows(W)
    settled = np.array_equal(rows, for_array(W).active_rows(iterates[-2]))
    if not settled or not len(rows) or not support.pays(len(rows), columns.products):
        return None
    _, row, _, ridge, _ = kernels[0]
    step = support.newton_step(*columns.on_rows(rows, W, residual), W[rows], row, ridge)
    return None if step is None else W + for_array(W).spread_rows(step, rows, len(W))


def _anderson(problem, columns, iterates):
    """Anderson's combination of the iterates, or None."""
    last = iterates[-1]
    steps = np.stack([(b - a).ravel() for a, b in zip(iterates, iterates[1:], strict=False)])
    gram = (steps @ steps.T).astype(np.float64)
    gram.flat[:: len(gram) + 1] += 1e-10 * np.trace(gram)
    try:
        coefficients = np.linalg.solve(gram, np.ones(len(gram)))
    except np.linalg.LinAlgError:
        return None
    total = coefficients.sum()
    if not np.isfinite(total) or total == 0:
        return None
    coefficients /= total
    candidate = sum(c * W for c, W in zip(coefficients, iterates[1:], strict=True)).astype(last.dtype)
    parts = candidate.reshape(-1, *problem.design.shape_w)  # a view
    parts[columns.positive] = np.maximum(parts[columns.positive], 0)
    return candidate


class Columns:
    """The design's columns as the sweep kernel takes them, with the weights folded in where rows share one."""

    def __init__(self, problem):
        design = _without_offset(problem.design)
        self.problem = problem
        self.positive = np.array([kernel[4] for kernel in problem.penalty.row_kernels()])  # by part
        self.stacked = isinstance(design, StackedDesign)
        weights = problem.weights
        common = self.stacked or weights.shape[1] == 1
        centre = design.centre
        explicit = not sparse.issparse(design.X) and (self.stacked or centre is None or centre.shape[2] == 1)
        self.root = np.sqrt(weights) if common else None
        n_columns, dtype = design.n_columns, design.dtype
        self.M = np.ones((1, n_columns), dtype) if common else np.ascontiguousarray(weights)
        self.starts = np.asarray(design.starts if self.stacked else [], dtype=np.int64)
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

    def _explicit(self, design):
        """X - U K, formed."""
        if design.centre is None:
            return design.X
        if not self.stacked:
            return design.X - design.U @ design.centre[:, :, 0]
        X = np.empty(design.X.shape, design.dtype)
        for t, (s, e) in enumerate(zip(design.starts, design.starts[1:], strict=False)):
            X[s:e] = design.X[s:e] - design.U[s:e] @ design.centre[:, :, t % design.centre.shape[2]]
        return X

    def _store(self, X):
        p = X.shape[1]
        root = None if self.root is None else self.root.reshape(-1)
        if sparse.issparse(X):
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
        return np.ascontiguousarray(r.reshape(r.shape[0], -1))

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
        self.grams = np.zeros((-(-p // gram.BLOCK), gram.BLOCK, gram.BLOCK))
        for block, G in enumerate(self.grams):
            rows = self.rows[block * gram.BLOCK : (block + 1) * gram.BLOCK]
            G[: len(rows), : len(rows)] = rows @ rows.T
        self.products = 2 * self.rows.size * problem.design.n_columns  # in a sweep

    def on_rows(self, rows, W, residual):
        """Gram matrix of some rows, and their correlations at W."""
        X = self.rows[rows]
        return X @ X.T, X @ residual

    def sweep(self, residual, parts, kernels):
        arrays = (self.rows, self.grams, self.curvature, residual)
        return for_array(residual).sweep_blocks(*arrays, parts, kernels)


def _without_offset(design):
    """The same design with what the columns of K have in common taken out of X.

    Where K differs from task to task, ``X - U K`` cannot be formed; but then a large mean of X would be added to the
    residual and tracked apart, and their difference would have lost its digits.
    """
    if (
        sparse.issparse(design.X)
        or isinstance(design, StackedDesign)
        or design.centre is None
        or design.centre.shape[2] == 1
    ):
        return design
    common = design.centre.mean(axis=2, keepdims=True)
    shifted = copy.copy(design)
    shifted.X, shifted.centre = design.X - design.U @ common[:, :, 0], design.centre - common
    return shifted
