"""Features and labels for given coefficients, the same way for all generators."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.utils import Bunch, check_scalar


def respond(rng, coef, n_samples, noise, correlation, missing, task_type, layout, intercept_scale):
    """Draw X and y for the coefficients; the part that all generators share."""
    sizes = _rows_per_task(n_samples, len(coef), layout)
    check_scalar(correlation, "correlation", numbers.Real, min_val=-1, max_val=1, include_boundaries="neither")
    check_scalar(missing, "missing", numbers.Real, min_val=0.0, max_val=1.0, include_boundaries="left")
    check_scalar(intercept_scale, "intercept_scale", numbers.Real, min_val=0.0)
    if task_type not in _LABELS:
        raise ValueError(f"task_type must be one of {', '.join(map(repr, _LABELS))}; got {task_type!r}.")
    if missing and layout == "stacked":
        raise ValueError("missing is for layout='shared'; stacked tasks simply have fewer rows (n_samples).")
    deviations = _standard_deviations(coef, correlation)
    scale = 1.0
    if task_type == "count":
        scale = 1.0 / max(deviations.max(), np.finfo(float).tiny)
        coef = scale * coef
    if noise is None:
        noise = 0.0 if task_type == "count" else float(np.sqrt(np.mean(deviations**2))) / 3
    check_scalar(noise, "noise", numbers.Real, min_val=0.0)
    intercept = intercept_scale * rng.standard_normal(len(coef))
    X = _draw_features(rng, sum(sizes), coef.shape[1], correlation)
    if layout == "shared":
        tasks, eta = np.arange(len(coef)), X @ coef.T + intercept
    else:
        tasks = np.repeat(np.arange(len(coef)), sizes)
        eta = np.einsum("ij,ij->i", X, coef[tasks]) + intercept[tasks]
        X = np.column_stack([X, tasks])
    y = _LABELS[task_type](rng, eta, noise)
    if missing:
        y = _hide(rng, y, missing)
    return Bunch(
        X=X,
        y=y,
        coef=coef,
        intercept=intercept,
        noise=noise,
        scale=scale,
        tasks=tasks,
        task_feature=-1 if layout == "stacked" else None,
    )


def _rows_per_task(n_samples, n_tasks, layout):
    """Numbers of rows: of X if the tasks share it, else of every task."""
    if layout not in ("shared", "stacked"):
        raise ValueError(f"layout must be 'shared' or 'stacked', got {layout!r}.")
    sizes = [n_samples] if layout == "shared" else n_samples
    if isinstance(sizes, numbers.Integral):
        sizes = [sizes] * n_tasks
    if layout == "stacked" and len(sizes) != n_tasks:
        raise ValueError(f"n_samples has {len(sizes)} entries for n_tasks={n_tasks}.")
    for size in sizes:
        if not isinstance(size, numbers.Integral) or size < 1:
            extra = "; a list is for layout='stacked'" if layout == "shared" else ""
            raise ValueError(f"n_samples must be positive integers, got {size!r}{extra}.")
    return [int(size) for size in sizes]


def _draw_features(rng, n_rows, n_features, correlation):
    """Rows of N(0, S) with S_jk = correlation^|j - k|."""
    X = rng.standard_normal((n_rows, n_features))
    X[:, 1:] *= np.sqrt(1 - correlation**2)
    return _accumulate(X, correlation)


def _accumulate(A, factor):
    """a_j + factor a_{j-1} + factor^2 a_{j-2} + ... along the rows, in place."""
    for j in range(1, A.shape[1] if factor else 0):
        A[:, j] += factor * A[:, j - 1]
    return A


def _standard_deviations(coef, correlation):
    """Of x . coef_t: the root of sum_jk coef_tj coef_tk correlation^|j - k|."""
    return np.sqrt(np.sum(coef * (2 * _accumulate(coef.copy(), correlation) - coef), axis=1).clip(min=0.0))


def _regression(rng, eta, noise):
    return eta + noise * rng.standard_normal(eta.shape)


def _classification(rng, eta, noise):
    return (eta + noise * rng.logistic(size=eta.shape) > 0).astype(np.int64)


def _count(rng, eta, noise):
    return rng.poisson(np.exp(eta + noise * rng.standard_normal(eta.shape)))


_LABELS = {"regression": _regression, "classification": _classification, "count": _count}


def _hide(rng, y, fraction):
    """y with a fraction of every column replaced by NaN; at least one label of every task stays."""
    y = y.astype(np.float64)
    n_hidden = int(fraction * len(y))
    for column in y.T:
        column[rng.permutation(len(y))[:n_hidden]] = np.nan
    return y
