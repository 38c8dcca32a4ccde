"""One model on one split."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, UndefinedMetricWarning

from mtlreg.compare._baselines import IndependentTasks, TaskDummies
from mtlreg.data import split_task_column
from mtlreg.data._tables import take_rows
from mtlreg.metrics import multitask_score, task_scores
from mtlreg.metrics._registry import find_metric
from mtlreg.validation import to_host

__all__ = ["Run", "fit_quietly", "run"]


@dataclass
class Run:
    """What a model reached on a split.

    Attributes
    ----------
    scores : dict
        By task; NaN where the metric is undefined.
    overall : dict
        By average: "macro", "weighted", "pooled".
    features : float
        Features with a coefficient; NaN for models that are not linear.
    gap : float
        The largest certified gap relative to the objective at zero; NaN for models without a certificate.
    seconds : float
        Search and fit.
    share : float
        Test rows for each training row.
    """

    scores: dict
    overall: dict
    features: float
    gap: float
    seconds: float
    share: float


def run(estimator, X, y, train, test, metric, task_feature):
    """Fit on ``train``, score on ``test``."""
    clock = time.perf_counter()
    model = fit_quietly(estimator, take_rows(X, train), take_rows(y, train))
    seconds = time.perf_counter() - clock
    X_test, y_test = take_rows(X, test), take_rows(y, test)
    probabilities = find_metric(metric).probabilities
    prediction = model.predict_proba(X_test) if probabilities else model.predict(X_test)
    tasks = None if task_feature is None else split_task_column(X_test, task_feature)[1]
    classes = getattr(model, "classes_", None) if probabilities else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        scores = task_scores(y_test, prediction, metric, tasks=tasks, classes=classes)
        overall = {}
        for average in ("macro", "weighted", "pooled"):
            try:
                overall[average] = multitask_score(
                    y_test, prediction, metric, average=average, tasks=tasks, classes=classes
                )
            except ValueError:  # tasks of different classes have no pooled score
                overall[average] = np.nan
    return Run(scores, overall, *_kept_and_gap(model), seconds, len(test) / len(train))


def fit_quietly(estimator, X, y):
    """A clone fitted without the warnings that belong to a comparison.

    A net stopped after its epochs, and folds in which a task has one class or no score.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", message=".*has only one class")
        warnings.filterwarnings("ignore", message=".*test score.*not finite|.*non-finite")
        return clone(estimator).fit(X, y)


def _kept_and_gap(model):
    """Features with a coefficient, and the certified gap relative to the objective at zero."""
    model = getattr(model, "best_estimator_", model)
    if isinstance(model, IndependentTasks):
        parts = [_kept_and_gap_of(m) for m in model.models_.values()]
        used = [used for used, _ in parts]
        return (np.nan if any(u is None for u in used) else float(np.any(used, axis=0).sum())), max(g for _, g in parts)
    used, gap = _kept_and_gap_of(model)
    return (np.nan if used is None else float(used.sum())), gap


def _kept_and_gap_of(model):
    model = getattr(model, "best_estimator_", model)
    linear = getattr(model, "estimator_", model)
    if not hasattr(linear, "dual_gap_"):
        return None, np.nan
    coef = model.slopes_ if isinstance(model, TaskDummies) else np.atleast_2d(to_host(linear.coef_))
    # the first certificate of a cold start is that of zero coefficients
    scale = max(linear.history_["objective"][0], np.finfo(float).tiny)
    return np.any(coef != 0, axis=0), linear.dual_gap_ / scale
