"""Figures of merit, one number a split, and the gains between models."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from mtlreg.compare import Comparison

__all__ = ["ArgmaxOfTasks", "Figure", "arrmse", "average", "gain", "relative_rmse", "verdict"]


@dataclass(frozen=True)
class Figure:
    """A number for every split: ``values(result, job)``; ``sign`` is -1 where less is better."""

    name: str
    values: Callable
    sign: int = 1
    decimals: int = 2

    def mean(self, result, job):
        """Over the splits, as text."""
        return f"{np.mean(self.values(result, job)):.{self.decimals}f}"


def average(name, kind, scale=1, **options):
    """A Figure that `compare` has already: "macro", "weighted" or "pooled"."""
    return Figure(name, lambda result, job: scale * result.overall[kind], **options)


def relative_rmse(r2, y_test, train_mean):
    """RMSE over that of the training mean, per column, from the R2 of the test rows (which knows the test mean).

    sqrt(sum (y - p)^2 / sum (y - train_mean)^2), the numerator being (1 - R2) sum (y - test_mean)^2.
    """
    around = [((y_test - mean) ** 2).sum(axis=0) for mean in (y_test.mean(axis=0), train_mean)]
    return np.sqrt((1 - r2) * around[0] / around[1])


def arrmse(result, job):
    """Average over the targets of the relative RMSE, for every split."""
    values = [
        relative_rmse(r2, job.y[test], job.y[train].mean(axis=0)).mean()
        for r2, (train, test) in zip(result.scores, job.splits, strict=True)
    ]
    return np.array(values)


def gain(comparison, job, figure, name, baseline):
    """``(mean, low, high)`` of the gain in a figure over a baseline; positive is better."""
    pair = []
    for one in (name, baseline):
        result = comparison[one]
        signed = figure.sign * figure.values(result, job)
        # The correction for overlap would count the test rows for each training row, here up to a hundred, though
        # training parts drawn from many rows hardly overlap: that interval would hide everything.
        pair.append(replace(result, overall={"macro": signed}, share=0.0 if job.few else result.share))
    return Comparison(comparison.metric, comparison.tasks, pair).gain_interval(name, baseline)


def verdict(interval):
    """ "better" or "worse" if the interval excludes 0, "open" if it does not or if there is none."""
    _, low, high = interval
    return "better" if low > 0 else "worse" if high < 0 else "open"


class ArgmaxOfTasks(ClassifierMixin, BaseEstimator):
    """Classes from one-against-the-rest tasks: the task of the largest prediction.

    Parameters
    ----------
    estimator : estimator
        Regression of the (n, n_classes) indicators.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        """Fit the tasks."""
        self.classes_ = np.unique(y)
        indicators = (np.asarray(y)[:, None] == self.classes_).astype(float)
        self.search_ = clone(self.estimator).fit(X, indicators)
        return self

    @property
    def best_estimator_(self):
        """The fitted tasks: where `compare` counts features and finds the certificate."""
        return getattr(self.search_, "best_estimator_", self.search_)

    def predict(self, X):
        """The class whose task predicts most."""
        return self.classes_[np.argmax(self.search_.predict(X), axis=1)]
