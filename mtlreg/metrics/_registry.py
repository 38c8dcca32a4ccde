"""The metrics that have a short name, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as skm


@dataclass(frozen=True)
class Metric:
    """A metric and what it needs."""

    score: Callable  # score(y, prediction, sample_weight=...)
    function: Callable | None = None  # of sklearn.metrics, which may be given instead of the name
    greater_is_better: bool = True
    defined: Callable = lambda y: y.size > 0
    probabilities: bool = False  # takes class probabilities or decision values, not predicted labels
    columns: Callable | None = (
        None  # columns(Y, predictions, observed, sample_weight), the scores of all columns at once
    )


def _varies(y):
    return y.size > 1 and (y != y[0]).any()


def _balanced_accuracy(y, prediction, sample_weight=None):
    # Equal to `balanced_accuracy_score`, which warns where a class is predicted that is not in y.
    return skm.recall_score(
        y, prediction, labels=np.unique(y), average="macro", sample_weight=sample_weight, zero_division=0
    )


def _r2_of_columns(Y, predictions, observed, sample_weight):
    # a label at the mean of the others that is predicted exactly changes neither that mean nor a sum of squares
    if not observed.all():
        counts = observed if sample_weight is None else observed * sample_weight[:, None]
        means = (counts * np.where(observed, Y, 0)).sum(axis=0) / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
        Y, predictions = (np.where(observed, a, means) for a in (Y, predictions))
    return skm.r2_score(Y, predictions, sample_weight=sample_weight, multioutput="raw_values")


def _accuracy_of_columns(Y, predictions, observed, sample_weight):
    counts = observed if sample_weight is None else observed * sample_weight[:, None]
    return (counts * (Y == predictions)).sum(axis=0) / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)


METRICS = {
    "r2": Metric(skm.r2_score, skm.r2_score, defined=_varies, columns=_r2_of_columns),
    "explained_variance": Metric(skm.explained_variance_score, skm.explained_variance_score, defined=_varies),
    "mse": Metric(skm.mean_squared_error, skm.mean_squared_error, greater_is_better=False),
    "rmse": Metric(skm.root_mean_squared_error, skm.root_mean_squared_error, greater_is_better=False),
    "mae": Metric(skm.mean_absolute_error, skm.mean_absolute_error, greater_is_better=False),
    "poisson_deviance": Metric(skm.mean_poisson_deviance, skm.mean_poisson_deviance, greater_is_better=False),
    "accuracy": Metric(skm.accuracy_score, skm.accuracy_score, columns=_accuracy_of_columns),
    "balanced_accuracy": Metric(_balanced_accuracy, skm.balanced_accuracy_score),
    "roc_auc": Metric(skm.roc_auc_score, skm.roc_auc_score, defined=_varies, probabilities=True),
    "average_precision": Metric(
        skm.average_precision_score, skm.average_precision_score, defined=_varies, probabilities=True
    ),
    "log_loss": Metric(skm.log_loss, skm.log_loss, greater_is_better=False, probabilities=True),
}


def find_metric(metric) -> Metric:
    """The entry of a short name or of a function of `sklearn.metrics`; a plain one for other callables."""
    if isinstance(metric, str):
        if metric not in METRICS:
            raise ValueError(f"Unknown metric {metric!r}; the short names are {', '.join(sorted(METRICS))}.")
        return METRICS[metric]
    if not callable(metric):
        raise TypeError(f"metric must be a short name or a callable, got {metric!r}.")
    known = (entry for entry in METRICS.values() if entry.function is metric)
    return next(known, Metric(metric))
