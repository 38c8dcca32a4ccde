"""Choosing a strength inside a training part."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from mtlreg.data._labels import missing_mask
from mtlreg.data._tables import take_rows

__all__ = ["Found", "search", "splits"]


@dataclass
class Found:
    """The estimator refitted with the best parameters."""

    estimator: object
    params: dict
    score: float
    seconds: float


def search(estimator, grid, X, y, scorer, folds, n_alphas, random_state):
    """Fit with the best of a few candidates by cross-validation.

    Parameters
    ----------
    grid : dict, "alpha" or None
        A grid with one parameter, a geometric grid below the estimator's ``alpha_max``, or nothing to choose.
    """
    clock = time.perf_counter()
    if grid is None:
        settings = {"scorer": scorer, "folds": folds, "n_alphas": n_alphas, "random_state": random_state}
        fitted = clone(estimator).fit(X, y, **settings)
        return Found(fitted, {}, np.nan, time.perf_counter() - clock)
    if grid == "alpha":
        top = clone(estimator).alpha_max(X, y)
        # labels that intercepts fit alone leave nothing to choose
        grid = {"alpha": top * np.geomspace(1, 1e-2, n_alphas + 1)[1:] if top > 0 else [1.0]}
    ((name, values),) = grid.items()
    scores = np.zeros(len(values))
    for train, test in splits(X, y, folds, random_state):
        model = clone(estimator)
        if "warm_start" in model.get_params():
            model.set_params(warm_start=True)
        for i, value in enumerate(values):
            model.set_params(**{name: value}).fit(take_rows(X, train), take_rows(y, train))
            scores[i] += scorer(model, take_rows(X, test), take_rows(y, test))
    # the strongest of equals: values are in order of decreasing strength for "alpha"
    best = int(np.nanargmax(scores)) if not np.isnan(scores).all() else len(values) - 1
    params = {name: values[best]}
    fitted = clone(estimator).set_params(**params).fit(X, y)
    return Found(fitted, params, float(scores[best] / folds), time.perf_counter() - clock)


def splits(X, y, folds, random_state, tasks=None):
    """Shuffled folds: stratified over tasks and classes where there is one label a row and classes repeat."""
    n = X.shape[0]
    folds = min(folds, n)
    labels = np.asarray(y)
    if labels.ndim == 1 and labels.dtype.kind != "f" and not missing_mask(labels).any():
        _, codes = np.unique(labels, return_inverse=True)
        if tasks is not None:
            _, codes = np.unique(
                np.unique(tasks, return_inverse=True)[1] * (codes.max() + 1) + codes, return_inverse=True
            )
        if np.bincount(codes).min() >= folds:
            return list(StratifiedKFold(folds, shuffle=True, random_state=random_state).split(np.zeros(n), codes))
    elif tasks is not None:
        _, codes = np.unique(tasks, return_inverse=True)
        if np.bincount(codes).min() >= folds:
            return list(StratifiedKFold(folds, shuffle=True, random_state=random_state).split(np.zeros(n), codes))
    return list(KFold(folds, shuffle=True, random_state=random_state).split(np.zeros(n)))
