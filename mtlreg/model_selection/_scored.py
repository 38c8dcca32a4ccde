"""Scores along the path of one grid point in one split."""

from __future__ import annotations

import time

import numpy as np

from mtlreg.data._tables import take_rows
from mtlreg.validation import to_host

__all__ = ["PathScores", "score_path", "split_rows"]


class PathScores:
    """Scores of the models of a path, filled in one by one.

    Parameters
    ----------
    parts : dict
        ``(X, y, fit's further arguments)`` of the rows scored, by name: "test", and "train" if asked for.
    n_alphas : int
    scorer : callable
    metrics : list of str
        Names of what it gives; ["score"] for a plain number.
    """

    def __init__(self, parts, n_alphas, scorer, metrics):
        self.parts, self.scorer, self.metrics = parts, scorer, metrics
        self.found = {part: {metric: np.full(n_alphas, np.nan) for metric in metrics} for part in parts}
        self.fit_seconds, self.score_seconds, self.failure = np.zeros(n_alphas), np.zeros(n_alphas), None

    def add(self, i, fitted, part):
        """Score the model of strength i on a part."""
        X, y, weights = self.parts[part]
        clock = time.perf_counter()
        found = self.scorer(fitted, X, y, **weights)
        for metric in self.metrics:
            self.found[part][metric][i] = found if self.metrics == ["score"] else found[metric]
        self.score_seconds[i] += time.perf_counter() - clock

    def fail(self, error, error_score):
        """Put down an error, and the score that stands for one."""
        self.failure = f"{type(error).__name__}: {error}"
        for part in self.found:
            self.found[part] = {metric: np.full(len(self.fit_seconds), float(error_score)) for metric in self.metrics}

    def table(self):
        """What a search collects."""
        seconds = {"fit_seconds": self.fit_seconds, "score_seconds": self.score_seconds}
        return self.found | seconds | {"failure": self.failure}


def score_path(model, grid, X, y, sample_weight, split, scorer, metrics, error_score, with_train):
    """The table of one grid point in one split, each model fitted from the one before."""
    train, test = split
    parts = {"test": split_rows(X, y, sample_weight, test)}
    fitted_on = split_rows(X, y, sample_weight, train)
    if with_train:
        parts["train"] = fitted_on
    scores = PathScores(parts, len(grid), scorer, metrics)
    clock = time.perf_counter()
    try:
        for i, fitted in enumerate(model.path_models(fitted_on[0], fitted_on[1], grid, **fitted_on[2])):
            scores.fit_seconds[i] = time.perf_counter() - clock
            for part in parts:
                scores.add(i, fitted, part)
            clock = time.perf_counter()
    except Exception as error:
        if error_score == "raise":
            raise
        scores.fail(error, error_score)
    return scores.table()


def split_rows(X, y, sample_weight, rows):
    """Some rows: X, y and fit's further arguments."""
    weights = {} if sample_weight is None else {"sample_weight": to_host(sample_weight)[rows]}
    return take_rows(X, rows), take_rows(y, rows), weights
