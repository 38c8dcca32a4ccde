"""Designs: the linear map from coefficients W (n_features, n_columns) to the predictors of all labels.

A design knows how the data lie in memory and nothing of losses and penalties. Beside the matrix X it carries

* a column scale: the design acts as ``X_j * inverse_scale_j`` (standardisation, feature weights), and
* free directions U (n_rows, k): columns that are never penalised, an intercept first. The design acts as
  ``X - U K`` with K the weighted least-squares coefficients of X on U, so that centring is the case U = 1. Both are
  implicit: X itself is never copied, changed or made dense.

Shared designs have predictors (n_rows, n_columns). Stacked designs, where each task has its own rows, have flat
predictors: task after task, and inside a task row after row.
"""

from __future__ import annotations

import copy

import numpy as np
from array_api_compat import array_namespace, is_numpy_array
from scipy import sparse

from mtlreg.kernels import for_array

CHUNK = 2**18  # entries of X worked on together
LARGE_CHUNK = 2**27  # the same on a GPU, where a call costs as much as 10^5 entries
ROUNDING = 16  # units in the last place of a column, of which nothing else is left
FEW = 0.2  # share of non-zero rows up to which gathering their columns of X pays

__all__ = ["Design", "SharedDesign", "StackedDesign"]


class Design:
    """What both layouts share; see the module's text.

    Parameters
    ----------
    X : array or sparse array (n_rows, n_features)
    U : array (n_rows, k) or None
        Unpenalised columns, intercept included.
    inverse_scale : array (n_features, 1 or n_columns) or None

    Attributes
    ----------
    centre : array (k, n_features, 1 or n_columns) or None
        K of the module's text, set by `residualise`.
    noise : float
        Size of the rounding in X, where that is more than its dtype's.
    """

    noise = 0.0

    def __init__(self, X, n_columns, U=None, inverse_scale=None):
        self.X = X
        self.U = U
        self.n_columns = n_columns
        self.inverse_scale = inverse_scale
        self.centre = None

    # -- layout: what the two subclasses know ---------------------------------------------------------------

    def apply(self, A, W):
        """``A W`` for a matrix A with this design's rows."""
        raise NotImplementedError

    def adjoint(self, A, R):
        """``A' R``, (A.shape[1], n_columns)."""
        raise NotImplementedError

    def rows_to_columns(self, u):
        """A row vector (n_rows,) as it multiplies a predictor array."""
        raise NotImplementedError

    def group_sums(self, A, h, segment):
        """``sum_i A_i' h_i`` for every group of columns of a segment: (A.shape[1], n_groups * m).

        ``h`` has the segment's label shape, with the m entries of each label's block last.
        """
        raise NotImplementedError

    def pair_sums(self, A, h, segment):
        """`group_sums` of all products of two columns of A: (A.shape[1]^2, n_groups * m)."""
        raise NotImplementedError

    def coefficient_columns(self, segment):
        """The slice of W's columns that a segment has."""
        raise NotImplementedError

    # -- the linear map ---------------------------------------------------------------------------------------

    @property
    def n_features(self):
        return self.X.shape[1]

    @property
    def n_rows(self):
        return self.X.shape[0]

    @property
    def shape_w(self):
        """Shape of the coefficients."""
        return (self.n_features, self.n_columns)

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def namespace(self):
        """The array namespace of predictors and coefficients (NumPy for SciPy sparse X)."""
        return np if sparse.issparse(self.X) else array_namespace(self.X)

    def matvec(self, W):
        """Predictors of the coefficients W, without the part of the free directions."""
        scaled = W if self.inverse_scale is None else W * self.inverse_scale
        eta = self.apply_rows(scaled)
        if self.centre is not None:
            eta = eta - self.apply(self.U, self.shift(scaled))
        return eta

    def apply_rows(self, W):
        """``X W``, with a product over the non-zero rows of W only where these are few.

        Not on another device: which they are would have to be read.
        """
        if not is_numpy_array(W):
            return self.apply(self.X, W)
        xp = array_namespace(W)
        active = for_array(W).active_rows(W)
        if active.shape[0] > FEW * W.shape[0]:
            return self.apply(self.X, W)
        # one column at least, so that the product has its shape also for W = 0
        active = active if active.shape[0] else xp.zeros((1,), dtype=active.dtype)
        return self.apply(self.gather(active), xp.take(W, active, axis=0))

    def gather(self, features):
        """These columns of X, gathered."""
        if sparse.issparse(self.X) or is_numpy_array(self.X):
            return self.X[:, features]  # np.take would first copy all of an X that is not C-contiguous
        return self.namespace.take(self.X, features, axis=1)

    def shift(self, scaled):
        """``K W`` (k, n_columns) for coefficients of the unscaled columns."""
        xp = array_namespace(scaled)
        if self.centre.shape[2] == 1:
            return self.centre[:, :, 0] @ scaled
        return xp.sum(self.centre * scaled[None, :, :], axis=1)

    def unshift(self, S):
        """The transpose of `shift`: ``K' S`` (n_features, n_columns)."""
        xp = array_namespace(S)
        if self.centre.shape[2] == 1:
            return xp.permute_dims(self.centre[:, :, 0], (1, 0)) @ S
        return xp.sum(self.centre * S[:, None, :], axis=0)

    def rmatvec(self, R):
        """The transpose of `matvec`."""
        G = self.adjoint(self.X, R)
        if self.centre is not None:
            G = G - self.unshift(self.adjoint(self.U, R))
        return G if self.inverse_scale is None else G * self.inverse_scale

    def residualise(self, weights):
        """Set K to the least-squares coefficients of X on U under ``weights`` (shaped like predictors)."""
        if self.U is None:
            return self
        gram_u = self.free_gram(weights)
        xp = array_namespace(gram_u)
        XU = [self.adjoint(self.X, weights * self.rows_to_columns(self.U[:, i])) for i in range(self.U.shape[1])]
        inverse = pinv_psd(gram_u)  # (columns, k, k)
        right = xp.permute_dims(xp.stack(XU), (2, 0, 1))  # (columns, k, p)
        self.centre = xp.permute_dims(inverse @ right, (1, 2, 0))
        return self

    def free_gram(self, weights):
        """``U' diag(weights) U`` of every column: (1 or n_columns, k, k)."""
        xp = array_namespace(self.U)
        rows = [self.adjoint(self.U, weights * self.rows_to_columns(self.U[:, i])) for i in range(self.U.shape[1])]
        return xp.permute_dims(xp.stack(rows), (2, 0, 1))

    def square_sums(self, weights):
        """``sum_i weights_i x_ij^2`` of the scaled, residualised columns: (n_features, 1 or n_columns)."""
        xp = self.namespace
        squares = self.X.multiply(self.X).tocsr() if sparse.issparse(self.X) else self.X**2
        sums = self.adjoint(squares, weights)
        raw = sums
        if self.centre is not None:
            gram_u = xp.permute_dims(self.free_gram(weights), (1, 2, 0))  # (k, k, columns)
            for i in range(self.U.shape[1]):
                for j in range(self.U.shape[1]):
                    sums = sums - self.centre[i, :, :] * self.centre[j, :, :] * gram_u[i, j, :][None, :]
        # what is left of a column inside the span of U is rounding, not signal
        sums = xp.where(sums > 64 * xp.finfo(self.dtype).eps * raw, sums, xp.zeros_like(sums))
        return sums if self.inverse_scale is None else sums * self.inverse_scale**2

    def restrict(self, features):
        """The same design with only these features (an index array); the chosen columns are gathered."""
        part = copy.copy(self)
        part.X = self.gather(features)
        if self.centre is not None:
            part.centre = self.namespace.take(self.centre, features, axis=1)
        if self.inverse_scale is not None:
            part.inverse_scale = self.namespace.take(self.inverse_scale, features, axis=0)
        part._derive()
        return part

    def _derive(self):
        """Rebuild what the layout derives from X."""

    def largest_eigenvalue(self, weights, n_iter=30):
        """A close estimate, from below, of the largest eigenvalue of ``X' diag(weights) X`` over all columns."""
        xp = self.namespace
        width = 1 if weights.ndim == 2 and weights.shape[1] == 1 and self._one_scale() else self.n_columns
        start = np.random.default_rng(0).standard_normal((self.n_features, width))
        v = xp.asarray(start, dtype=self.dtype)
        top = 0.0
        for _ in range(n_iter):
            norm = xp.sqrt(xp.sum(v * v, axis=0))
            v = v / xp.where(norm > 0, norm, xp.ones_like(norm))
            v = self.rmatvec(weights * self.matvec(v))
            before, top = top, float(xp.max(xp.sqrt(xp.sum(v * v, axis=0))))
            if abs(top - before) <= 1e-3 * top:
                break
        return top

    def _one_scale(self):
        return all(a is None or a.shape[-1] == 1 for a in (self.centre, self.inverse_scale))


class SharedDesign(Design):
    """Every row belongs to every task; predictors (n_rows, n_columns)."""

    def apply(self, A, W):
        return A @ W

    def adjoint(self, A, R):
        return A.T @ R

    def rows_to_columns(self, u):
        return u[:, None]

    def group_sums(self, A, h, segment):
        xp = array_namespace(h)
        return A.T @ xp.reshape(h, (h.shape[0], -1))

    def pair_sums(self, A, h, segment):
        return _pair_sums(A, array_namespace(h).reshape(h, (h.shape[0], -1)))

    def coefficient_columns(self, segment):
        return segment.columns


class StackedDesign(Design):
    """Every task has its own rows, which stand together; flat predictors.

    Parameters
    ----------
    starts : sequence of int, length n_tasks + 1
        Task t has the rows ``starts[t]:starts[t + 1]``.
    widths : sequence of int
        Number of columns of each task.
    """

    def __init__(self, X, starts, widths, U=None, inverse_scale=None):
        super().__init__(X, int(sum(widths)), U, inverse_scale)
        self.starts = [int(s) for s in starts]
        self.widths = [int(w) for w in widths]
        sizes = [(e - s) * w for s, e, w in zip(self.starts, self.starts[1:], self.widths, strict=False)]
        self.offsets = [0, *np.cumsum(sizes).tolist()]
        self.columns = [0, *np.cumsum(self.widths).tolist()]
        self._derive()

    def _derive(self):
        self._blocks = self._split(self.X)
        heights = {*np.diff(self.starts).tolist()}
        self._height = heights.pop() if len(heights) == len({*self.widths}) == 1 else None

    def _by_height(self, A):
        """A as (n_tasks, rows of a task, columns), where all tasks have as many rows and columns; else None."""
        if self._height is None or sparse.issparse(A):
            return None
        xp = array_namespace(A)
        return xp.reshape(A, (len(self.widths), self._height, A.shape[1]))

    def _split(self, A):
        """The rows of each task as views."""
        pairs = list(zip(self.starts, self.starts[1:], strict=False))
        if not sparse.issparse(A):
            return [A[s:e, :] for s, e in pairs]
        A = A.tocsr()
        blocks = []
        for s, e in pairs:
            lo, hi = A.indptr[s], A.indptr[e]
            arrays = (A.data[lo:hi], A.indices[lo:hi], A.indptr[s : e + 1] - lo)
            blocks.append(sparse.csr_array(arrays, shape=(e - s, A.shape[1]), copy=False))
        return blocks

    def _tasks_of(self, A):
        return self._blocks if A is self.X else self._split(A)

    def apply(self, A, W):
        xp = array_namespace(W)
        blocks = self._by_height(A)
        if blocks is not None:
            by_task = xp.permute_dims(xp.reshape(W, (W.shape[0], len(self.widths), -1)), (1, 0, 2))
            return xp.reshape(blocks @ by_task, (-1,))
        parts = [
            xp.reshape(block @ W[:, c:d], (-1,))
            for block, c, d in zip(self._tasks_of(A), self.columns, self.columns[1:], strict=False)
        ]
        return xp.concat(parts)

    def adjoint(self, A, R):
        xp = array_namespace(R)
        blocks = self._by_height(A)
        if blocks is not None:
            by_task = xp.reshape(R, (len(self.widths), self._height, -1))
            sums = xp.permute_dims(blocks, (0, 2, 1)) @ by_task
            return xp.reshape(xp.permute_dims(sums, (1, 0, 2)), (A.shape[1], -1))
        parts = [
            block.T @ xp.reshape(R[s:e], (-1, w))
            for block, s, e, w in zip(self._tasks_of(A), self.offsets, self.offsets[1:], self.widths, strict=False)
        ]
        return xp.concat(parts, axis=1)

    def rows_to_columns(self, u):
        if self.n_columns == len(self.widths):
            return u
        xp = array_namespace(u)
        return xp.take(u, xp.asarray(np.repeat(np.arange(self.n_rows), np.repeat(self.widths, np.diff(self.starts)))))

    def group_sums(self, A, h, segment):
        return self._by_task(lambda rows, block: rows.T @ block, A, h, segment)

    def pair_sums(self, A, h, segment):
        return self._by_task(_pair_sums, A, h, segment)

    def _by_task(self, function, A, h, segment):
        xp = array_namespace(h)
        parts, at = [], 0
        for t in range(segment.tasks.start, segment.tasks.stop):
            n_rows = self.starts[t + 1] - self.starts[t]
            size = n_rows * self.widths[t] // segment.n_columns
            block = xp.reshape(h[at : at + size, ...], (n_rows, -1))
            parts.append(function(A[self.starts[t] : self.starts[t + 1], :], block))
            at += size
        return xp.concat(parts, axis=1)

    def coefficient_columns(self, segment):
        return slice(self.columns[segment.tasks.start], self.columns[segment.tasks.stop])


def _pair_sums(A, h):
    """``sum_i A_ia A_ib h_ic`` as (k^2, columns of h), a chunk of rows at a time."""
    xp = array_namespace(h)
    k = A.shape[1]
    total = xp.zeros((k * k, h.shape[1]), dtype=h.dtype)
    for rows in row_chunks(A.shape[0], k * k):
        block = A[rows, :]
        pairs = xp.reshape(block[:, :, None] * block[:, None, :], (block.shape[0], k * k))
        total = total + pairs.T @ h[rows, :]
    return total


def inside_span(squares, raw):
    """Whether columns are nothing but rounding, by their squared lengths with the part of U taken out and without."""
    return squares <= (ROUNDING * np.finfo(squares.dtype).eps) ** 2 * raw


def pinv_psd(H):
    """Pseudo-inverse of a stack of symmetric positive semidefinite matrices."""
    xp = array_namespace(H)
    if H.shape[-1] == 1:  # an intercept alone
        return xp.where(H > 0, 1 / xp.where(H > 0, H, xp.ones_like(H)), xp.zeros_like(H))
    values, vectors = xp.linalg.eigh(H)
    floor = xp.max(values, axis=-1, keepdims=True) * (H.shape[-1] * xp.finfo(H.dtype).eps * 4)
    keep = values > xp.clip(floor, min=0.0)
    inverse = xp.where(keep, 1 / xp.where(keep, values, xp.ones_like(values)), xp.zeros_like(values))
    return (vectors * inverse[..., None, :]) @ xp.permute_dims(vectors, (*range(H.ndim - 2), H.ndim - 1, H.ndim - 2))


def row_chunks(n_rows, n_columns, start=0, large=False):
    """Slices of rows few enough to be worked on without a second X in memory; large ones for a GPU."""
    step = max(1, (LARGE_CHUNK if large else CHUNK) // max(1, n_columns))
    return [slice(s, min(s + step, n_rows)) for s in range(start, n_rows, step)]
