"""What a report shows beyond a comparison's scores: the data, models fitted on all rows, scores on fewer rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtlreg.compare._baselines import IndependentTasks, TaskDummies
from mtlreg.compare._run import fit_quietly, run
from mtlreg.data import split_task_column
from mtlreg.data._labels import label_matrix, missing_mask
from mtlreg.data._tables import take_rows
from mtlreg.estimators._base import MultiTaskBase

__all__ = ["Findings", "collect"]

SHARES = (0.25, 0.5, 1.0)  # of the training rows, for learning curves
SPLITS = 2  # on which these are drawn


@dataclass
class Findings:
    """What the page is made of.

    Attributes
    ----------
    comparison : Comparison
    rows, labels : dict
        Rows in all, and labels of every task.
    n_features : int
    missing : float or None
        Share of the labels that are missing; None where every row has one task.
    linear : tuple of (name, estimator) or None
        The best linear model with parts that can be shown, fitted on all rows.
    net : estimator or None
        The net, fitted on all rows.
    curves : dict
        Name -> (n_shares,) mean macro scores on shares of the training rows, NaN where a fit was impossible.
    curve_labels : list of float
        Median over the tasks of their labels in these shares.
    """

    comparison: object
    rows: int
    labels: dict
    n_features: int
    missing: float | None
    linear: tuple | None
    net: object | None
    curves: dict
    curve_labels: list


def collect(comparison, X, y):
    """Fit what is shown besides the scores, and count the data."""
    task_feature = comparison.task_feature
    labels, missing = _count(y, X, task_feature, comparison.tasks)
    linear = net = None
    for name in _by_score(comparison):
        if linear is None and _is_linear(name, comparison.models[name]):
            linear = (name, _inner(_fitted(comparison, name, X, y)))
        if net is None and name == "net":
            net = _inner(_fitted(comparison, name, X, y))
    width = np.shape(X)[1] - (task_feature is not None)
    curve_labels, curves = _curves(comparison, X, y)
    return Findings(comparison, np.shape(X)[0], labels, width, missing, linear, net, curves, curve_labels)


def _is_linear(name, model):
    """Whether it is one linear model for all tasks, whose coefficients can be shown."""
    while not isinstance(model, MultiTaskBase) and hasattr(model, "get_params"):
        inner = getattr(model, "estimator", getattr(model, "search", None))
        if inner is None or isinstance(model, IndependentTasks | TaskDummies):
            return False
        model = inner
    return isinstance(model, MultiTaskBase)


def _fitted(comparison, name, X, y):
    """The model fitted on all rows; the best one may have been already."""
    if name == comparison.best_ and comparison.best_estimator_ is not None:
        return comparison.best_estimator_
    return fit_quietly(comparison.models[name], X, y)


def _by_score(comparison):
    """Names of the models, the best first."""
    means = {
        r.name: np.nanmean(r.overall["macro"]) for r in comparison.results if np.isfinite(r.overall["macro"]).any()
    }
    return sorted(means, key=lambda name: -means[name])


def _inner(model):
    return getattr(model, "best_estimator_", model)


def _count(y, X, task_feature, tasks):
    """Labels of every task, and the share that is missing."""
    if task_feature is None:
        values, observed, _ = label_matrix(y, "y")
        return dict(zip(tasks, observed.sum(axis=0).tolist(), strict=True)), float(1 - observed.mean())
    own = split_task_column(X, task_feature)[1]
    seen, counts = np.unique(own[~missing_mask(np.asarray(y))], return_counts=True)
    found = dict(zip(seen.tolist(), counts.tolist(), strict=True))
    if tasks is None:
        return found, None
    return {task: found.get(label, 0) for task, label in zip(tasks, np.unique(own).tolist(), strict=True)}, None


def _curves(comparison, X, y):
    """Labels of a task in shares of the training rows, and scores there of the baselines, the best model and the net.

    The mean of the splits in which a model could be fitted to every share.
    """
    names = dict.fromkeys(["independent", "pooled_intercepts", "l21", comparison.best_, "net"])
    found = {}
    for name in names:
        if name not in comparison.models:
            continue
        scores = np.full((len(SHARES), min(SPLITS, len(comparison.splits))), np.nan)
        for k, (train, test) in enumerate(comparison.splits[:SPLITS]):
            for i, share in enumerate(SHARES):
                if share == 1:
                    scores[i, k] = comparison[name].overall["macro"][k]
                    continue
                rows = _fewer(X, train, share, comparison.task_feature, seed=k)
                try:
                    one = run(comparison.models[name], X, y, rows, test, comparison.metric, comparison.task_feature)
                except ValueError:  # too few rows of a task or class for a search
                    continue
                scores[i, k] = one.overall["macro"]
        whole = scores[:, ~np.isnan(scores).any(axis=0)]
        found[name] = whole.mean(axis=1) if whole.size else np.full(len(SHARES), np.nan)
    train = comparison.splits[0][0]
    counts = [_median_labels(X, y, _fewer(X, train, share, comparison.task_feature, 0), comparison) for share in SHARES]
    return counts, found


def _median_labels(X, y, rows, comparison):
    part = take_rows(X, rows), take_rows(y, rows)
    tasks = comparison.tasks if comparison.task_feature is None else None
    counts, _ = _count(part[1], part[0], comparison.task_feature, tasks)
    return float(np.median(list(counts.values())))


def _fewer(X, train, share, task_feature, seed):
    """A share of the training rows, of every task."""
    rng = np.random.default_rng(seed)
    if task_feature is None:
        return np.sort(rng.choice(train, max(2, round(share * len(train))), replace=False))
    tasks = split_task_column(take_rows(X, train), task_feature)[1]
    parts = [np.flatnonzero(tasks == task) for task in np.unique(tasks)]
    chosen = [rng.choice(part, max(1, round(share * len(part))), replace=False) for part in parts]
    return np.asarray(train)[np.sort(np.concatenate(chosen))]
