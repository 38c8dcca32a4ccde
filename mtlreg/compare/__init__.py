"""Which sharing helps on these data? Models side by side on the same splits."""

from __future__ import annotations

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.utils.multiclass import type_of_target

from mtlreg.compare._models import FAMILIES, IndependentTasks, TaskDummies, make_family
from mtlreg.compare._result import Comparison, ModelResult
from mtlreg.compare._search import search, splits
from mtlreg.data import split_task_column
from mtlreg.data._labels import label_matrix
from mtlreg.data._tables import take_rows
from mtlreg.metrics import make_task_scorer, task_scores
from mtlreg.metrics._registry import find_metric

__all__ = ["FAMILIES", "Comparison", "IndependentTasks", "ModelResult", "TaskDummies", "compare"]


def compare(
    X,
    y,
    *,
    task_feature=None,
    families=None,
    metric=None,
    cv=5,
    inner_cv=3,
    n_alphas=6,
    random_state=0,
    n_jobs=None,
):
    """Fit several ways of sharing on the same splits, and say which tasks each one helps.

    Every model's strength is chosen by cross-validation inside the training part, over the same number of candidates
    (the net: two penalties).

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        NaN where a label is missing.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    families : list of str, default=None
        Names in ``mtlreg.compare.FAMILIES``; None is all of them.
    metric : str, default=None
        A short name of `mtlreg.metrics` where greater is better. None: "r2" for numbers, "roc_auc" for two classes,
        "accuracy" for more.
    cv : int or list of (train, test), default=5
        Folds, or the splits themselves.
    inner_cv : int, default=3
        Folds inside a training part.
    n_alphas : int, default=6
        Candidates for every strength, down to a hundredth of the largest sensible one.
    random_state : int, default=0
    n_jobs : int, default=None
        Pairs of model and split run in parallel (joblib); the result does not depend on it.

    Returns
    -------
    Comparison
        Print it, or use ``to_frame()`` and ``plot()``.
    """
    names = list(FAMILIES) if families is None else list(families)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ValueError(f"families has {unknown[0]!r}; there are {list(FAMILIES)}.")
    metric, classification = _metric_for(y, metric)
    tasks = None if task_feature is None else split_task_column(X, task_feature)[1]
    labels = _task_labels(y, tasks)
    if isinstance(cv, int):
        cv = splits(X, y, cv, random_state, tasks)
    scorer = make_task_scorer(metric, task_feature=task_feature)
    job = delayed(_run)
    settings = (classification, task_feature, metric, scorer, inner_cv, n_alphas, random_state)
    runs = Parallel(n_jobs=n_jobs)(job(name, X, y, split, *settings) for name in names for split in cv)
    results = []
    for i, name in enumerate(names):
        mine = runs[i * len(cv) : (i + 1) * len(cv)]
        scores = np.array([[run[0].get(label, np.nan) for label in labels] for run in mine])
        features, gaps, seconds = (np.array([run[k] for run in mine]) for k in (1, 2, 3))
        results.append(ModelResult(name, scores, features.mean(), gaps.max(), seconds.sum()))
    return Comparison(metric, labels, results)


def _run(name, X, y, split, classification, task_feature, metric, scorer, folds, n_alphas, seed):
    """``(scores by task, features kept, relative gap, seconds)`` of one model on one split."""
    train, test = split
    estimator, grid = make_family(name, classification, task_feature, seed)
    X_test, y_test = take_rows(X, test), take_rows(y, test)
    with warnings.catch_warnings():
        # a net stopped after its epochs, folds in which a task has one class: part of the comparison
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", message=".*has only one class")
        inner_scorer = make_task_scorer(metric) if name == "independent" else scorer
        found = search(estimator, grid, take_rows(X, train), take_rows(y, train), inner_scorer, folds, n_alphas, seed)
        if find_metric(metric).probabilities:
            prediction = found.estimator.predict_proba(X_test)
        else:
            prediction = found.estimator.predict(X_test)
    tasks = None if task_feature is None else split_task_column(X_test, task_feature)[1]
    scores = task_scores(y_test, prediction, metric, tasks=tasks)
    return scores, *_kept_and_gap(found.estimator), found.seconds


def _kept_and_gap(model):
    """Features with a coefficient, and the certified gap relative to the objective at zero."""
    if isinstance(model, IndependentTasks):
        parts = list(model.models_.values())
        used = np.any([np.any(np.atleast_2d(m.coef_) != 0, axis=0) for m in parts], axis=0)
        return int(used.sum()), max(_relative_gap(m) for m in parts)
    linear = model.estimator_ if isinstance(model, TaskDummies) else model
    if not hasattr(linear, "dual_gap_"):
        return np.nan, np.nan
    return int(np.any(np.atleast_2d(model.coef_) != 0, axis=0).sum()), _relative_gap(linear)


def _relative_gap(model):
    # the first certificate of a cold start is that of zero coefficients
    return model.dual_gap_ / max(model.history_["objective"][0], np.finfo(float).tiny)


def _metric_for(y, metric):
    values, observed, _ = label_matrix(y, "y")
    seen = values[observed]
    target = type_of_target(seen.astype(float) if seen.dtype.kind in "biuf" else seen.astype(str))
    if metric is None:
        numbers = target == "continuous" or (target == "multiclass" and seen.dtype.kind == "f")
        metric = "r2" if numbers else "roc_auc" if target == "binary" else "accuracy"
    entry = find_metric(metric)
    if not entry.greater_is_better:
        raise ValueError(f"metric={metric!r} is an error; give a score where greater is better.")
    return metric, metric not in ("r2", "explained_variance")


def _task_labels(y, tasks):
    if tasks is not None:
        return np.unique(tasks).tolist()
    values, _, names = label_matrix(y, "y")
    return list(range(values.shape[1])) if names is None else list(names)
