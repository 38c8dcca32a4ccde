"""Scales of features: standardisation, feature weights and unpenalised columns, all implicit.

A feature acts as ``X_j / (std_j f_j)``, f its weight in the penalty. ``f_j = 0`` moves it to the free directions,
``f_j = inf`` switches it off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, is_numpy_array
from scipy import linalg, sparse

from mtlreg.data._tables import is_device_sparse, row_chunks
from mtlreg.validation import as_float_array, host_dtype, is_sparse, namespace_of, to_host

__all__ = [
    "FreeColumns",
    "dense_columns",
    "free_columns",
    "inverse_scales",
    "moments",
    "orthonormal",
    "read_feature_weights",
]


def read_feature_weights(feature_weights, n_features):
    """Feature weights (p,) as floats; a ValueError names the first bad entry."""
    if feature_weights is None:
        return np.ones(n_features)
    f = as_float_array(feature_weights, "feature_weights")
    if f.shape != (n_features,):
        raise ValueError(
            f"feature_weights has shape {f.shape}, expected ({n_features},): one weight a feature, the task column not "
            "counted."
        )
    if (f < 0).any():
        j = int(np.argmax(f < 0))
        raise ValueError(f"feature_weights[{j}] = {f[j]:g} is negative; 0 means unpenalised, inf excluded.")
    return f


def inverse_scales(table, widths, f, standardize):
    """``1 / (std f)`` as (p, 1) or (p, n_columns) on the host, None where all are 1."""
    inverse = np.where(f > 0, 1 / np.where(f > 0, f, 1), 0)[:, None]
    X = _counted(table.X) if standardize else table.X
    if standardize == "per_task":
        stds = []
        for t in range(len(table.tasks)):
            if table.stacked:
                s, e = table.starts[t], table.starts[t + 1]
                stds.append(moments(X, table.weights, s, e)[1])
            else:
                stds.append(moments(X, table.weights[:, min(t, table.weights.shape[1] - 1)])[1])
        inverse = inverse / np.repeat(np.stack(stds, axis=1), widths, axis=1)
    elif standardize:
        totals = table.weights if table.stacked else table.weights.sum(axis=1)
        inverse = inverse / moments(X, totals)[1][:, None]
    return None if (inverse == 1).all() else inverse


def moments(X, weights, start=0, stop=None):
    """Weighted mean and standard deviation (ddof 0; 1 for a constant column) of the columns of ``X[start:stop]``."""
    X, stop = _counted(X), X.shape[0] if stop is None else stop
    weights = np.asarray(weights, dtype=np.float64)
    total = weights[start:stop].sum()
    chunks = row_chunks(stop, X.shape[1], start)
    mean = np.zeros(X.shape[1])
    for rows in chunks:
        mean += _weighted_sum(X[rows, :], weights[rows])
    mean /= total
    variance = np.zeros(X.shape[1])
    for rows in chunks:
        variance += _weighted_squares(X[rows, :], weights[rows], mean)
    std = np.sqrt(variance / total)
    eps = np.finfo(np.float32 if host_dtype(X) == np.float32 else np.float64).eps
    return mean, np.where(std > 10 * eps * np.abs(mean), std, 1.0)


def _counted(X):
    """X, on the host if it is sparse: its stored entries are counted there."""
    return to_host(X) if is_device_sparse(X) else X


def _weighted_sum(X, w):
    return to_host(X.T @ _like(w, X)).astype(np.float64)


def _weighted_squares(X, w, mean):
    if sparse.issparse(X):
        X = X.tocsr()
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        columns, data, p = X.indices, X.data.astype(np.float64), X.shape[1]
        stored = w[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))]
        squares = np.bincount(columns, stored * (data - mean[columns]) ** 2, minlength=p)
        # entries not stored are zeros, each of which counts mean^2; no rounding where there are none
        full = np.bincount(columns, minlength=p) == X.shape[0]
        rest = np.where(full, 0, np.maximum(w.sum() - np.bincount(columns, stored, minlength=p), 0))
        return squares + rest * mean**2
    centred = X - _like(mean, X)
    return to_host((centred * centred).T @ _like(w, X)).astype(np.float64)


def _like(a, X):
    if sparse.issparse(X):
        return a
    xp = array_namespace(X)
    return xp.asarray(a, dtype=X.dtype)


@dataclass
class FreeColumns:
    """Unpenalised columns, the intercept and the features of weight 0, as an orthonormal basis U of what they span.

    The columns ``A = [1, (X_free - mean) / std]`` (``X_free / std`` without an intercept) are decomposed as ``A = U R``
    in float64, so that nearly collinear ones are no hazard to the Gram matrices built on U. With rows that belong to
    one task each, every task has its own R.

    Attributes
    ----------
    U : array (n_rows, k)
    features : ndarray of int
    mean, std : ndarray (n_free,)
    intercept : bool
    R, inverse : ndarray (1 or n_tasks, k, width of A) and (1 or n_tasks, width of A, k)
    task : ndarray of int (n_columns,)
        Which R a column of W has.
    """

    U: object
    features: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    intercept: bool
    R: np.ndarray
    inverse: np.ndarray
    task: np.ndarray

    def decode(self, Z):
        """Intercepts (n_columns,) and coefficients (n_free, n_columns) of the columns as they were given."""
        Z = np.einsum("cij,jc->ic", self.inverse[self.task], Z)
        first = 1 if self.intercept else 0
        coef = Z[first:] / self.std[:, None]
        offset = Z[0] if self.intercept else np.zeros(Z.shape[1], Z.dtype)
        return offset - self.mean @ coef, coef

    def encode(self, intercept, coef):
        """The inverse of `decode`."""
        scaled = coef * self.std[:, None]
        if self.intercept:
            scaled = np.concatenate([(intercept + self.mean @ coef)[None, :], scaled])
        return np.einsum("cij,jc->ic", self.R[self.task], scaled)


def free_columns(table, f, widths, intercept, all_free):
    """The free columns of a table's design; None where there are none."""
    X = table.X
    features = np.arange(X.shape[1]) if all_free else np.flatnonzero(f == 0)
    features = features[f[features] < np.inf]
    if not intercept and not features.size:
        return None
    xp = namespace_of(X)
    A, mean, std = _columns(X, features, intercept)
    if A.shape[1] == 1 and intercept:
        R = inverse = np.ones((1, 1, 1))
        task = np.zeros(sum(widths), dtype=int)
        U = A
    else:
        noise = np.concatenate([[1.0] * intercept, 1 + np.abs(mean) / std]) * float(np.finfo(host_dtype(X)).eps)
        cuts = table.starts if table.stacked else [0, A.shape[0]]
        U, R, inverse = orthonormal([A[s:e] for s, e in zip(cuts, cuts[1:], strict=False)], noise)
        task = np.repeat(np.arange(len(widths)), widths) if table.stacked else np.zeros(sum(widths), dtype=int)
    U = xp.asarray(U.astype(host_dtype(X)))
    return FreeColumns(U, features, mean, std, intercept, R, inverse, task)


def _columns(X, features, intercept):
    """The free columns, centred and scaled, in float64, with their means and standard deviations."""
    parts = [np.ones((X.shape[0], 1))] if intercept else []
    mean, std = np.zeros(features.size), np.ones(features.size)
    if features.size:
        block = dense_columns(X, features)
        mean, std = moments(block, np.ones(X.shape[0]))
        if not intercept:
            mean = np.zeros_like(mean)
        parts.append((to_host(block).astype(np.float64) - mean) / std)
    return np.concatenate(parts, axis=1), mean, std


def orthonormal(blocks, noise):
    """``U, R, inverse`` with ``U_t R_t`` the block of task t, U_t orthonormal, R_t's generalised inverse beside it.

    Directions of a block no larger than the rounding of its columns (``noise``, relative to a column of standard
    deviation 1) are left out; U has zeros there.
    """
    pieces = []
    for block in blocks:
        Q, R, order = linalg.qr(block, mode="economic", pivoting=True)
        size = np.sqrt(max(len(block), 1)) * max(8, block.shape[1])
        keep = np.abs(np.diag(R)) > size * noise[order[: min(R.shape)]]
        rank = int(np.argmin(keep)) if not keep.all() else len(keep)  # the diagonal decreases
        pieces.append((Q[:, :rank], R[:rank], order, rank))
    k = max(1, max(rank for *_, rank in pieces))
    width = blocks[0].shape[1]
    U = np.zeros((sum(len(block) for block in blocks), k))
    all_R, inverse, at = np.zeros((len(blocks), k, width)), np.zeros((len(blocks), width, k)), 0
    for t, (Q, R, order, rank) in enumerate(pieces):
        U[at : at + len(Q), :rank] = Q * np.sqrt(max(len(Q), 1))
        at += len(Q)
        scale = np.sqrt(max(len(Q), 1))
        all_R[t, :rank, order] = R.T / scale
        inverse[t, order[:rank], :rank] = linalg.solve_triangular(R[:, :rank], np.eye(rank)) * scale
    return U, all_R, inverse


def dense_columns(X, features):
    """Some columns of X, dense."""
    if is_sparse(X):
        return X[:, features].toarray()
    if is_numpy_array(X):  # np.take would first copy all of an X that is not C-contiguous
        return X[:, features]
    xp = array_namespace(X)
    return xp.take(X, xp.asarray(features), axis=1)
