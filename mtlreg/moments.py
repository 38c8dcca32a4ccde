"""Moments: sufficient statistics of the squared loss, additive over rows.

For squared loss the data enter only through ``sum w``, ``sum w x``, ``sum w y``, ``sum w x x'``, ``sum w x y`` and
``sum w y^2``. They are kept in float64 and of data shifted by a pilot mean, so that centring later does not cancel. A
design with p rows that has the same moments stands for the data: same objective (up to a constant), same solution,
same certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, is_numpy_array
from scipy import linalg, sparse

from mtlreg.data._tables import row_chunks
from mtlreg.designs import ROUNDING, SharedDesign, StackedDesign, inside_span
from mtlreg.losses import Squared
from mtlreg.problem import Problem
from mtlreg.solvers._base import check_finite
from mtlreg.task_losses import Segment, TaskLosses
from mtlreg.validation import to_host

__all__ = ["Moments", "pays_by_task", "reduced_problem"]

WIDEST = 200  # features of the Gram matrices of tasks


@dataclass
class Moments:
    """Weighted moments of rows ``(x_i, y_i)`` with weights ``w_it``.

    One Gram matrix serves all tasks that share their weights; otherwise (missing labels, weights by task) each task
    has its own. Moments of different rows add up with ``+``, and a fold is taken out with ``-``.

    Attributes
    ----------
    shift : ndarray (p,)
        What is subtracted from x.
    w : ndarray (k,), x : ndarray (k, p), xx : ndarray (k, p, p)
        With k = 1 or n_tasks.
    y, yy : ndarray (n_tasks,), xy : ndarray (p, n_tasks)
    """

    shift: np.ndarray
    w: np.ndarray
    x: np.ndarray
    xx: np.ndarray
    y: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    @classmethod
    def from_data(cls, X, Y, sample_weight=None, shift=None):
        """Moments of shared rows.

        Parameters
        ----------
        X : array or sparse (n, p)
        Y : array (n, n_tasks)
            NaN where a label is missing.
        sample_weight : array (n,) or (n, n_tasks), default=None
        shift : array (p,), default=None
            None: the mean of these rows. Moments to be added should share one (they are moved if they do not).
        """
        Y = np.asarray(Y, dtype=np.float64)
        if Y.ndim != 2 or Y.shape[0] != X.shape[0]:
            raise ValueError(f"Y must have shape ({X.shape[0]}, n_tasks), got {Y.shape}.")
        weights = np.ones((len(Y), 1)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        weights = weights[:, None] if weights.ndim == 1 else weights
        observed = ~np.isnan(Y)
        if not observed.all():
            weights = np.where(observed, weights, 0.0)
            Y = np.where(observed, Y, 0.0)
        shift = np.asarray(X.mean(axis=0), dtype=np.float64).ravel() if shift is None else np.asarray(shift)
        xp = np if sparse.issparse(X) else array_namespace(X)
        k, p, n_tasks = weights.shape[1], X.shape[1], Y.shape[1]
        shapes = (k,), (k, p), (k, p, p), (n_tasks,), (n_tasks,), (p, n_tasks)
        sums, centre = [xp.zeros(shape, dtype=xp.float64) for shape in shapes], xp.asarray(shift)
        for rows in row_chunks(*X.shape, large=not sparse.issparse(X) and not is_numpy_array(X)):
            block = X[rows, :]
            block = xp.astype(block.toarray() if sparse.issparse(block) else block, xp.float64) - centre
            _accumulate(sums, block, xp.asarray(Y[rows]), xp.asarray(weights[rows]))
        return cls(shift, *map(to_host, sums))

    def shifted(self, shift):
        """The same moments about another point."""
        d = self.shift - np.asarray(shift)
        cross = self.x[:, :, None] * d[None, None, :]
        xx = self.xx + cross + np.swapaxes(cross, 1, 2) + self.w[:, None, None] * np.outer(d, d)
        x = self.x + self.w[:, None] * d
        return Moments(np.asarray(shift), self.w, x, xx, self.y, self.yy, self.xy + np.outer(d, self.y))

    def __add__(self, other):
        return self._combine(other, 1.0)

    def __sub__(self, other):
        return self._combine(other, -1.0)

    def _combine(self, other, sign):
        if not isinstance(other, Moments):
            return NotImplemented
        if other.x.shape[1] != self.x.shape[1] or other.y.shape != self.y.shape:
            raise ValueError("Moments of different numbers of features or tasks cannot be combined.")
        if not np.array_equal(self.shift, other.shift):
            other = other.shifted(self.shift)
        pairs = [(getattr(self, name), getattr(other, name)) for name in ("w", "x", "xx", "y", "yy", "xy")]
        return Moments(self.shift, *(a + sign * b for a, b in pairs))

    def centred(self):
        """``(xx, xy, yy)`` about the weighted means, shapes (k, p, p), (p, n_tasks), (n_tasks,)."""
        mean = self.x / self.w[:, None]
        xx = self.xx - self.w[:, None, None] * mean[:, :, None] * mean[:, None, :]
        return xx, self.xy - mean.T * self.y, self.yy - self.y**2 / self.w

    def means(self):
        """Weighted means of x (k, p) and y (n_tasks,)."""
        return self.shift + self.x / self.w[:, None], self.y / self.w

    def standard_deviations(self):
        """Of the columns of x, each row counting with the sum of its weights; 1 for a constant column."""
        w = self.w.sum()
        offset = self.x.sum(axis=0) / w
        std = np.sqrt(np.clip(np.einsum("kjj->j", self.xx) / w - offset**2, 0.0, None))
        # the variance is a difference of numbers as large as this
        size = np.sqrt(np.einsum("kjj->j", self.xx) / w) + np.abs(self.shift + offset)
        return np.where(std > 1e-7 * size, std, 1.0)

    def problem(self, penalty, fit_intercept=True, inverse_scale=None):
        """The problem of the model with every label counting the same (``c_t = 1 / mean weight of a task``).

        Intercepts are eliminated: at coefficients W they are ``mean(y) - mean(x) . W``. With ``inverse_scale`` (p,)
        column j of x is multiplied by its entry j.
        """
        if fit_intercept:
            xx, xy, yy = self.centred()
        else:
            origin = self.shifted(np.zeros_like(self.shift))
            xx, xy, yy = origin.xx, origin.xy, origin.yy
        if inverse_scale is not None:
            xx, xy = xx * np.outer(inverse_scale, inverse_scale), xy * inverse_scale[:, None]
        scale = 1.0 / np.broadcast_to(self.w, yy.shape).mean()
        design, losses, y, weights = _rows_of(xx * scale, xy * scale)
        constant = 0.5 * (float(yy.sum()) * scale - float(np.sum(y * y)))
        return Problem(design, losses, y, weights, penalty, constant)

    def residual_squares(self, coef, intercept):
        """``sum_i w_it (y_it - x_i . coef_t - intercept_t)^2`` of every task, for coef (p, n_tasks)."""
        offset = intercept + self.shift @ coef
        quadratic = self._quadratic(coef)
        linear = (self.x @ coef)[0] if len(self.w) == 1 else np.einsum("tj,jt->t", self.x, coef)
        cross = np.einsum("jt,jt->t", self.xy, coef)
        return self.yy - 2 * cross - 2 * offset * self.y + quadratic + 2 * offset * linear + self.w * offset**2

    def _quadratic(self, coef):
        if len(self.w) == 1:
            return np.einsum("jt,jt->t", coef, self.xx[0] @ coef)
        return np.einsum("jt,tjk,kt->t", coef, self.xx, coef, optimize=True)


def _accumulate(sums, X, Y, weights):
    """Add the moments of some rows to sums of these, on whatever device."""
    xp, (w, x, xx, y, yy, xy) = array_namespace(X), sums
    wy = weights * Y
    w += xp.sum(weights, axis=0)
    x += weights.T @ X
    for t in range(w.shape[0]):
        xx[t, :, :] += (X * weights[:, t : t + 1]).T @ X
    y += xp.sum(wy, axis=0)
    yy += xp.sum(wy * Y, axis=0)
    xy += X.T @ wy


def _rows_of(xx, xy):
    """Design, losses, labels and weights of p rows (for each task, if each has a Gram matrix) with these moments."""
    p, n_tasks = xy.shape
    if len(xx) == 1:
        R, Y, noise = _root(xx[0], xy)
        design = SharedDesign(R, n_tasks)
        weights, labels = np.ones((R.shape[0], 1)), slice(0, n_tasks)
    else:
        roots, ys, noises = zip(*(_root(xx[t], xy[:, t : t + 1]) for t in range(n_tasks)), strict=True)
        return _stacked(roots, [y.ravel() for y in ys], max(noises))
    design.noise = noise
    losses = TaskLosses([Segment(Squared(), 1, slice(0, n_tasks), labels, labels)])
    return design, losses, Y, weights


def _stacked(blocks, ys, noise):
    """Design, losses, labels and weights of rows of each task, of one height: products of all tasks are one then."""
    n_tasks, height, p = len(blocks), max(map(len, blocks)), blocks[0].shape[1]
    X, y = np.zeros((n_tasks, height, p)), np.zeros((n_tasks, height))
    for t, (block, label) in enumerate(zip(blocks, ys, strict=True)):
        X[t, : len(block)], y[t, : len(block)] = block, label
    design = StackedDesign(X.reshape(-1, p), np.arange(n_tasks + 1) * height, [1] * n_tasks)
    design.noise = noise
    every = slice(0, y.size)
    return design, TaskLosses([Segment(Squared(), 1, slice(0, n_tasks), every, every)]), y.ravel(), np.ones(y.size)


def _root(xx, xy):
    """R and Y with ``R'R = xx`` and ``R'Y = xy``, and how large the rounding in R is."""
    check_finite(float(np.trace(xx)) + float(np.abs(xy).max(initial=0.0)))
    try:
        R = linalg.cholesky(xx, lower=False)
        if np.diag(R).min() > 1e-7 * np.diag(R).max():
            return R, linalg.solve_triangular(R, xy, trans="T", lower=False), 0.0
    except linalg.LinAlgError:
        pass
    values, vectors = linalg.eigh(xx)
    rounding = len(values) * np.finfo(np.float64).eps * max(values[-1], 0)
    keep = values > rounding
    if not keep.any():
        return np.zeros((1, len(values))), np.zeros((1, xy.shape[1])), 0.0
    root = np.sqrt(values[keep])
    return root[:, None] * vectors[:, keep].T, (vectors[:, keep].T @ xy) / root[:, None], float(np.sqrt(rounding))


def reduced_problem(problem):
    """A problem with p rows (of each task, if each has its own) in place of n, for squared loss on dense rows.

    Shared rows have weights that all tasks share.
    """
    residual = problem.y
    if problem.free is not None:
        # the best are the same for all W; where there are common directions, `null` is what asks for moments
        alone = problem.common is not None
        Z = problem.free.solve(0 * problem.y, problem.free.start)[0] if alone else problem.null.Z
        residual = residual - problem.free.predictor(Z)
    reduced = _triangles if isinstance(problem.design, StackedDesign) else _gram_rows
    rows, squares = reduced(problem, residual)
    return problem.restated(*rows, squares)


def pays_by_task(design):
    """Whether moments of each task take the place of a stacked design's rows at a profit."""
    n, p = design.n_rows, design.n_features
    one_column = design.n_columns == len(design.widths)
    return one_column and design.dtype == np.float64 and n >= 2 * p * design.n_columns and p <= WIDEST


def _gram_rows(problem, residual):
    """Rows with the moments of all shared rows, and the residual's squares by task; on the host, wherever X is."""
    design, xp, p = problem.design, problem.xp, problem.design.n_features
    xx, xy = (xp.zeros((p, width), dtype=xp.float64) for width in (p, design.n_columns))
    squares = xp.zeros((design.n_columns,), dtype=xp.float64)
    scale = None if design.inverse_scale is None else design.inverse_scale[:, 0]
    first = problem.weights[0, 0]
    even = bool(xp.all(problem.weights == first))  # saves a copy of X
    for rows in row_chunks(*design.X.shape, large=not is_numpy_array(design.X)):
        X, labels = design.X[rows, :], residual[rows, :]
        if design.centre is not None:
            X = X - design.U[rows, :] @ design.centre[:, :, 0]
        X, labels = (xp.astype(a, xp.float64, copy=False) for a in (X if scale is None else X * scale, labels))
        if not even:
            root = xp.sqrt(problem.weights[rows, :])
            X, labels = X * root, labels * root
        xx += X.T @ X  # of one array, which takes half the work of two
        xy += X.T @ labels
        squares += xp.sum(labels * labels, axis=0)
    xx, xy, squares = (to_host(a if not even else first * a) for a in (xx, xy, squares))
    return _rows_of(xx[None], xy), squares


def _triangles(problem, residual):
    """Of every task the triangle of a QR decomposition, and the residual's squares: Gram matrices, but not squared.

    A task with fewer rows than features keeps them.
    """
    design = problem.design
    blocks, ys, squares, size = [], [], [], 0.0
    for t, (start, stop) in enumerate(zip(design.starts, design.starts[1:], strict=False)):
        R = np.zeros((0, design.n_features + 1))
        raw = own = np.zeros(design.n_features)
        for rows in row_chunks(stop, design.n_features, start):
            root = np.sqrt(problem.weights[rows])[:, None]
            X, centred = _formed(design, rows, t)
            raw, own = raw + ((root * X) ** 2).sum(axis=0), own + ((root * centred) ** 2).sum(axis=0)
            R = np.concatenate([R, root * np.column_stack([centred, residual[rows]])])
            R = np.linalg.qr(R, mode="r") if len(R) >= R.shape[1] else R
        R[:, :-1][:, inside_span(own, raw)] = 0.0
        blocks.append(R[: design.n_features, :-1] if len(R) > design.n_features else R[:, :-1])
        ys.append(R[: len(blocks[-1]), -1])
        squares.append(float(R[:, -1] @ R[:, -1]))
        size = max(size, float(raw.max(initial=0.0)))
    return _stacked(blocks, ys, ROUNDING * np.finfo(np.float64).eps * size**0.5), np.array(squares)


def _formed(design, rows, t):
    """Some rows of task t with their columns scaled, before and after these are made orthogonal to U."""

    def own(a):
        return a[..., min(t, a.shape[-1] - 1)]

    X = design.X[rows]
    centred = X if design.centre is None else X - design.U[rows] @ own(design.centre)
    return (X, centred) if design.inverse_scale is None else (A * own(design.inverse_scale) for A in (X, centred))
