"""Which sharing helps on these data? Models side by side on the same splits."""

from __future__ import annotations

import numbers
import sys
import time

import numpy as np
from joblib import Memory, Parallel, delayed
from sklearn.utils.multiclass import type_of_target

from mtlreg.compare._baselines import IndependentTasks, TaskDummies
from mtlreg.compare._models import (
    DEFAULT_FAMILIES,
    FAMILIES,
    NEED_ORDER,
    REGRESSION_ONLY,
    Settings,
    make_extra,
    make_family,
)
from mtlreg.compare._result import Comparison, ModelResult
from mtlreg.compare._run import fit_quietly, run
from mtlreg.data import split_task_column
from mtlreg.data._labels import label_matrix
from mtlreg.metrics._registry import find_metric
from mtlreg.model_selection import StratifiedTaskKFold

__all__ = ["DEFAULT_FAMILIES", "FAMILIES", "Comparison", "IndependentTasks", "ModelResult", "TaskDummies", "compare"]


def compare(
    X,
    y,
    *,
    task_feature=None,
    families=None,
    extra=None,
    metric=None,
    cv=5,
    inner_cv=3,
    n_alphas=6,
    choose_by="macro",
    refit=False,
    random_state=0,
    n_jobs=None,
    cache=None,
    verbose=0,
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
    families : list of str or "all", default=None
        Names in ``mtlreg.compare.FAMILIES``; None is ``mtlreg.compare.DEFAULT_FAMILIES``, "all" every one that applies.
    extra : dict, default=None
        Further estimators by name. Those of mtlreg get the data as they are, any other the rows of all tasks with an
        indicator column for each task. They are fitted as given: for a search, give one.
    metric : str, default=None
        A short name of `mtlreg.metrics` where greater is better. None: "r2" for numbers, "roc_auc" for two classes,
        "accuracy" for more.
    cv : int or list of (train, test), default=5
        Folds of a `StratifiedTaskKFold`, or the splits themselves.
    inner_cv : int, default=3
        Folds inside a training part.
    n_alphas : int, default=6
        Candidates for every strength, down to a hundredth of the largest sensible one.
    choose_by : {"macro", "weighted", "pooled"}, default="macro"
        The average of the tasks' scores by which strengths are chosen. Means of R2 over tasks of a few rows in a fold
        are ruled by the smallest of them; "weighted" and "pooled" are not.
    refit : bool, default=False
        Whether to fit the best model on all rows, as ``best_estimator_``.
    random_state : int, default=0
    n_jobs : int, default=None
        Pairs of model and split run in parallel (joblib); the result does not depend on it.
    cache : str or path, default=None
        A folder to keep what is done in: the same call resumes there after an interrupt.
    verbose : int, default=0
        1 reports each model and split when it is done, and the time left, on stderr.

    Returns
    -------
    Comparison
        Print it, or use ``to_frame()``, ``to_dict()`` and ``plot()``.

    Raises
    ------
    ValueError
        An unknown family, metric or average, a name twice, or a folder that cannot be written.
    """
    if len(getattr(y, "shape", ())) == 2 and y.shape[1] == 1:
        y = label_matrix(y, "y")[0][:, 0]
    metric, classification = _metric_for(y, metric)
    if choose_by not in ("macro", "weighted", "pooled"):
        raise ValueError(f"choose_by={choose_by!r} must be 'macro', 'weighted' or 'pooled'.")
    settings = Settings(classification, task_feature, metric, inner_cv, n_alphas, random_state, choose_by)
    tasks = None if task_feature is None else split_task_column(X, task_feature)[1]
    labels = _task_labels(y, tasks)
    # columns of y are in an order, and so are numbers
    ordered = tasks is None or len(labels) <= 2 or not any(isinstance(label, str) for label in labels)
    models = _models(families, extra, settings, ordered)
    splits = _splits(X, y, cv, settings)
    job = run if cache is None else Memory(_writable(cache), verbose=0).cache(run)
    jobs = [delayed(job)(model, X, y, *split, metric, task_feature) for model in models.values() for split in splits]
    names = [f"{name}, split {k + 1} of {len(splits)}" for name in models for k in range(len(splits))]
    runs = _watched(Parallel(n_jobs=n_jobs, return_as="generator")(jobs), names, verbose)
    results = []
    for i, name in enumerate(models):
        results.append(ModelResult.collect(name, labels, runs[i * len(splits) : (i + 1) * len(splits)]))
    asked = {"cv": cv if isinstance(cv, numbers.Integral) else f"{len(splits)} splits", "inner_cv": inner_cv}
    asked |= {"n_alphas": n_alphas, "choose_by": choose_by, "random_state": random_state, "metric": metric}
    asked |= {"task_feature": task_feature, "families": ", ".join(models)}
    found = Comparison(metric, labels, results, models=models, splits=splits, task_feature=task_feature, settings=asked)
    if refit:
        found.best_estimator_ = fit_quietly(models[found.best_], X, y)
    return found


def _models(families, extra, settings, ordered):
    """Estimators by name."""
    left_out = {}
    if settings.classification:
        left_out |= dict.fromkeys(REGRESSION_ONLY, "is for regression; these labels are classes")
    if not ordered:
        left_out |= dict.fromkeys(NEED_ORDER, "needs tasks in an order: numbers, or the columns of a 2-D y")
    if families is None:
        names = list(DEFAULT_FAMILIES)
    elif isinstance(families, str) and families == "all":
        names = [name for name in FAMILIES if name not in left_out]
    else:
        names = list(families)
    for name in names:
        if name not in FAMILIES:
            raise ValueError(f"families has {name!r}; there are {list(FAMILIES)}.")
        if name in left_out:
            raise ValueError(f"families has {name!r}, which {left_out[name]}.")
    models = {name: make_family(name, settings) for name in names}
    for name, estimator in (extra or {}).items():
        if name in FAMILIES:
            raise ValueError(f"extra has a model named {name!r}, which is one of the families: give it another name.")
        if not hasattr(estimator, "fit") or not hasattr(estimator, "get_params"):
            raise TypeError(f"extra[{name!r}] must be an estimator, got {estimator!r}.")
        models[name] = make_extra(estimator, settings)
    if not models:
        raise ValueError("There is no model to compare: families is empty, and so is extra.")
    return models


def _splits(X, y, cv, settings):
    if not isinstance(cv, numbers.Integral):
        return [(np.asarray(train), np.asarray(test)) for train, test in cv]
    folds = StratifiedTaskKFold(
        cv,
        task_feature=settings.task_feature,
        classes=settings.classification,
        random_state=settings.random_state,
    )
    return list(folds.split(X, y))


def _writable(folder):
    """The folder, made if need be; said before the long work starts if it cannot be."""
    from pathlib import Path

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        probe = Path(folder) / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cache={str(folder)!r} cannot be written: {error}.") from None
    return folder


def _watched(runs, names, verbose):
    """All runs in their order, each reported when it is there, with the time left."""
    done, clock = [], time.perf_counter()
    for name, one in zip(names, runs, strict=True):
        done.append(one)
        if verbose:
            left = (time.perf_counter() - clock) / len(done) * (len(names) - len(done))
            text = f"[{len(done)}/{len(names)}] {name}: {one.overall['macro']:.4f}, {one.seconds:.1f} s"
            print(f"{text}; about {left:.0f} s left", file=sys.stderr, flush=True)
    return done


def _metric_for(y, metric):
    values, observed, _ = label_matrix(y, "y")
    seen = values[observed]
    if not seen.size:
        raise ValueError("y has no observed label.")
    target = type_of_target(seen.astype(float) if seen.dtype.kind in "biuf" else seen.astype(str))
    if metric is None:
        regression = target == "continuous" or (target == "multiclass" and seen.dtype.kind == "f")
        metric = "r2" if regression else "roc_auc" if target == "binary" else "accuracy"
    entry = find_metric(metric)
    if not entry.greater_is_better:
        raise ValueError(f"metric={metric!r} is an error; give a score where greater is better.")
    return metric, metric not in ("r2", "explained_variance")


def _task_labels(y, tasks):
    if tasks is not None:
        return np.unique(tasks).tolist()
    values, _, names = label_matrix(y, "y")
    return list(range(values.shape[1])) if names is None else list(names)
