"""Checks of one design."""

from __future__ import annotations

import copy

import numpy as np
from scipy import sparse

from mtlreg.testing._common import assert_close, require

__all__ = ["check_design"]


def check_design(design, columns=None, seed=0):
    """Check a design on NumPy or SciPy data against the matrices it stands for.

    ``matvec`` must be linear and equal to the explicit product, ``rmatvec`` its transpose; `residualise`
    must make the columns orthogonal to U under the weights; ``square_sums``, ``free_gram``,
    ``largest_eigenvalue`` and ``restrict`` must agree with the explicit matrices. The data stay untouched,
    float32 stays float32.

    Parameters
    ----------
    design : Design
    columns : callable, default=None
        ``columns(A)`` gives, for a matrix A with the design's rows, a list with a pair for every column of
        W: the rows of A that count for it, and where their predictors stand in the flattened predictor
        array. None: the layouts of `SharedDesign` and `StackedDesign`.
    seed : int, default=0

    Raises
    ------
    AssertionError
        Saying what does not hold.
    """
    rng = np.random.default_rng(seed)
    name = f"{type(design).__name__} of {design.shape_w}"
    columns = columns or _layout(design)
    tolerance = 2e-5 if design.dtype == np.float32 else 1e-11
    before = _dense(design.X).copy()
    _check_map(design, columns, rng, name, tolerance)
    weights = rng.uniform(0.2, 2.0, _random_predictors(design, rng).shape).astype(design.dtype)
    if design.U is not None:
        design = copy.copy(design).residualise(weights)
        _check_map(design, columns, rng, f"{name}, residualised,", tolerance)
        _check_free(design, columns, weights, name, tolerance)
    _check_sums(design, columns, weights, name, tolerance)
    for features in (np.array([design.n_features - 1, 0]), np.arange(0, design.n_features, 2), np.array([0])):
        part = design.restrict(features)
        _check_map(
            part,
            columns,
            rng,
            f"{name}, restricted to {features},",
            tolerance,
            _matrices(design, columns, features),
        )
    require(np.array_equal(before, _dense(design.X)), f"{name}: X was changed")


def _dense(A):
    return A.toarray() if sparse.issparse(A) else np.asarray(A)


def _layout(design):
    """``columns`` for shared rows, and for rows of tasks one after another."""
    if not hasattr(design, "starts"):
        return lambda A: [(A, np.arange(len(A)) * design.n_columns + c) for c in range(design.n_columns)]

    def stacked(A):
        pairs, at = [], 0
        for start, stop, width in zip(design.starts, design.starts[1:], design.widths, strict=False):
            for c in range(width):
                pairs.append((A[start:stop], at + np.arange(stop - start) * width + c))
            at += (stop - start) * width
        return pairs

    return stacked


def _matrices(design, columns, features=slice(None)):
    """The explicit matrix of every column of W, and where its predictors stand."""
    U = columns(_dense(design.U)) if design.U is not None else None
    matrices = []
    for c, (A, at) in enumerate(columns(_dense(design.X))):
        A = A.astype(np.float64)
        if design.centre is not None:
            A = A - U[c][0] @ design.centre[:, :, c % design.centre.shape[2]]
        if design.inverse_scale is not None:
            A = A * design.inverse_scale[:, c % design.inverse_scale.shape[1]]
        matrices.append((A[:, features], at))
    return matrices


def _random_predictors(design, rng):
    shape = design.matvec(np.zeros(design.shape_w, design.dtype)).shape
    return rng.standard_normal(shape).astype(design.dtype)


def _check_map(design, columns, rng, name, tolerance, matrices=None):
    matrices = _matrices(design, columns) if matrices is None else matrices
    W = rng.standard_normal(design.shape_w).astype(design.dtype)
    R = _random_predictors(design, rng)
    eta, G = design.matvec(W), design.rmatvec(R)
    require(eta.dtype == design.dtype and G.dtype == design.dtype, f"{name}: gives {eta.dtype} for {design.dtype}")
    require(G.shape == W.shape, f"{name}: rmatvec gives shape {G.shape}, not {W.shape}")
    wanted, back = np.zeros(eta.size), np.zeros(W.shape)
    for c, (A, at) in enumerate(matrices):
        wanted[at] = A @ W[:, c]
        back[:, c] = A.T @ R.ravel()[at]
    size = max(1.0, float(np.max(np.abs(wanted), initial=0)), float(np.max(np.abs(back))))
    assert_close(eta.ravel() / size, wanted / size, tolerance, f"{name}: matvec is not the explicit product")
    assert_close(G / size, back / size, tolerance, f"{name}: rmatvec is not the transpose")
    left, right = float(np.sum(eta * R, dtype=float)), float(np.sum(W * G, dtype=float))
    bound = float(np.sum(np.abs(eta * R), dtype=float))
    require(
        abs(left - right) <= 10 * tolerance * (1 + bound),
        f"{name}: <D W, R> = {left:.9g}, <W, D' R> = {right:.9g}",
    )


def _check_free(design, columns, weights, name, tolerance):
    """U is orthogonal to the residualised columns, and `free_gram` is U' diag(weights) U."""
    gram = design.free_gram(weights)
    raw = copy.copy(design)
    raw.centre = None
    for c, ((A, at), (U, _), (X, _)) in enumerate(
        zip(_matrices(design, columns), columns(_dense(design.U)), _matrices(raw, columns), strict=True)
    ):
        w = weights.ravel()[at].astype(np.float64)[:, None]
        explicit = U.T @ (w * U)
        size = float(np.max(np.abs(explicit)))
        assert_close(gram[c % len(gram)] / size, explicit / size, tolerance, f"{name}: free_gram")
        left, size = U.T @ (w * A), np.abs(U).T @ (w * np.abs(X))
        worst = float(np.max(np.abs(left) / np.where(size > 0, size, 1)))
        require(worst <= 10 * tolerance, f"{name}: residualised columns are not orthogonal to U ({worst:.3g})")


def _check_sums(design, columns, weights, name, tolerance):
    sums = np.broadcast_to(design.square_sums(weights), design.shape_w)
    top = 0.0
    raw = copy.copy(design)
    raw.centre = None
    for c, ((A, at), (X, _)) in enumerate(zip(_matrices(design, columns), _matrices(raw, columns), strict=True)):
        w = weights.ravel()[at].astype(np.float64)[:, None]
        # cancellation against the uncentred column is the best that can be had
        size = np.sum(w * X * X, axis=0)
        size = np.where(size > 0, size, 1)
        assert_close(sums[:, c] / size, np.sum(w * A * A, axis=0) / size, 10 * tolerance, f"{name}: square_sums")
        top = max(top, float(np.linalg.norm(np.sqrt(w) * A, 2) ** 2))
    estimate = design.largest_eigenvalue(weights)
    message = f"{name}: largest_eigenvalue gives {estimate:.9g}, the truth is {top:.9g}"
    require(0.9 * top <= estimate <= top * (1 + 10 * tolerance), message)
