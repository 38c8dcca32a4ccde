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
from math import prod

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from mtlreg.data._tables import is_sparse, namespace_of
from mtlreg.kernels import for_array
from mtlreg.kernels.generic.stacked import Stack

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
        """The array namespace of predictors and coefficients."""
        return namespace_of(self.X)

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
        if is_sparse(self.X) or is_numpy_array(self.X):
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
        sums = self.adjoint(self._squares(), weights)
        raw = sums
        if self.centre is not None:
            gram_u = xp.permute_dims(self.free_gram(weights), (1, 2, 0))  # (k, k, columns)
            for i in range(self.U.shape[1]):
                for j in range(self.U.shape[1]):
                    sums = sums - self.centre[i, :, :] * self.centre[j, :, :] * gram_u[i, j, :][None, :]
        # what is left of a column inside the span of U is rounding, not signal
        sums = xp.where(sums > 64 * xp.finfo(self.dtype).eps * raw, sums, xp.zeros_like(sums))
        return sums if self.inverse_scale is None else sums * self.inverse_scale**2

    def _squares(self):
        """The squares of X's entries."""
        if not is_sparse(self.X):
            return self.X**2
        rows = self.X.tocsr()  # the only format that cupyx multiplies
        return rows.multiply(rows)

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
        return for_array(h).pair_sums(A, array_namespace(h).reshape(h, (h.shape[0], -1)))

    def coefficient_columns(self, segment):
        return segment.columns


class StackedDesign(Design):
    """Every task has its own rows, which stand together; flat predictors.

    Parameters
    ----------
    starts, widths : sequences of int
        As of a `mtlreg.kernels.generic.stacked.Stack`.
    """

    def __init__(self, X, starts, widths, U=None, inverse_scale=None):
        super().__init__(X, int(sum(widths)), U, inverse_scale)
        self.stack = Stack(starts, widths, X)
        self.starts, self.widths = self.stack.starts, self.stack.widths

    def _derive(self):
        self.stack = self.stack.around(self.X)

    def apply(self, A, W):
        return for_array(W).stacked_product(self.stack, A, W)

    def adjoint(self, A, R):
        return for_array(R).stacked_adjoint(self.stack, A, R)

    def rows_to_columns(self, u):
        if self.n_columns == len(self.widths):
            return u
        xp = array_namespace(u)

        def rows():
            return xp.asarray(np.repeat(np.arange(self.n_rows), np.repeat(self.widths, np.diff(self.starts))))

        return xp.take(u, self.stack.known("rows of predictors", rows))

    def group_sums(self, A, h, segment):
        return for_array(h).stacked_adjoint(*self._of_segment(A, h, segment))

    def pair_sums(self, A, h, segment):
        return for_array(h).stacked_pair_sums(*self._of_segment(A, h, segment))

    def _of_segment(self, A, h, segment):
        """Where a segment's tasks lie, A's rows of these, and h flat."""
        tasks = segment.tasks
        part = self.stack.part(tasks, segment.n_columns, prod(h.shape[1:]))
        rows = A[self.starts[tasks.start] : self.starts[tasks.stop], :]
        return part, rows, array_namespace(h).reshape(h, (-1,))

    def coefficient_columns(self, segment):
        columns = self.stack.columns
        return slice(columns[segment.tasks.start], columns[segment.tasks.stop])


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
    keep = values > xp.maximum(floor, 0.0)
    inverse = xp.where(keep, 1 / xp.where(keep, values, xp.ones_like(values)), xp.zeros_like(values))
    return (vectors * inverse[..., None, :]) @ xp.permute_dims(vectors, (*range(H.ndim - 2), H.ndim - 1, H.ndim - 2))
