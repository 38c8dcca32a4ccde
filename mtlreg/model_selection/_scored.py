"""Scores along the path of one grid point in one split."""

from __future__ import annotations

import time
from contextlib import contextmanager

import numpy as np

from mtlreg.data._tables import take_rows
from mtlreg.validation import to_host

__all__ = ["PathScores", "is_own", "score_path", "split_rows"]


class PathScores:
    """Scores of the models of a path, filled in one by one.

    Parameters
    ----------
    parts : sequence of str
        What is scored: "test", and "train" if asked for.
    n_alphas : int
    metrics : list of str
        Names of what a scorer gives; ["score"] for a plain number.
    """

    def __init__(self, parts, n_alphas, metrics):
        self.metrics = metrics
        self.found = {part: {metric: np.full(n_alphas, np.nan) for metric in metrics} for part in parts}
        self.fit_seconds, self.score_seconds, self.failure = np.zeros(n_alphas), np.zeros(n_alphas), None

    def score(self, i, part, scorer, fitted, rows):
        """Score the model of strength i on a part's rows (see `split_rows`)."""
        X, y, weights = rows
        clock = time.perf_counter()
        self.put(i, part, scorer(fitted, X, y, **weights), clock)

    def put(self, i, part, found, clock):
        """Put down what was found for strength i on a part since ``clock``."""
        for metric in self.metrics:
            self.found[part][metric][i] = found if self.metrics == ["score"] else found[metric]
        self.score_seconds[i] += time.perf_counter() - clock

    @contextmanager
    def guarded(self, error_score):
        """Put down an error, and the score that stands for one, unless it is to be raised."""
        try:
            yield
        except Exception as error:
            if error_score == "raise":
                raise
            self.failure = f"{type(error).__name__}: {error}"
            for scores in self.found.values():
                for values in scores.values():
                    values[:] = error_score

    def table(self):
        """What a search collects."""
        seconds = {"fit_seconds": self.fit_seconds, "score_seconds": self.score_seconds}
        return self.found | seconds | {"failure": self.failure}


def score_path(model, grid, X, y, sample_weight, split, scorer, metrics, error_score, with_train):
    """The table of one grid point in one split, each model fitted from the one before."""
    train, test = split
    parts = {"test": split_rows(X, y, sample_weight, test)}
    X, y, weights = split_rows(X, y, sample_weight, train)
    if with_train:
        parts["train"] = X, y, weights
    scores = PathScores(parts, len(grid), metrics)
    with scores.guarded(error_score):
        clock = time.perf_counter()
        for i, fitted in enumerate(model.path_models(X, y, grid, **weights)):
            scores.fit_seconds[i] = time.perf_counter() - clock
            for part, rows in parts.items():
                scores.score(i, part, scorer, fitted, rows)
            clock = time.perf_counter()
    return scores.table()


def split_rows(X, y, sample_weight, rows):
    """Some rows: X, y and fit's further arguments."""
    weights = {} if sample_weight is None else {"sample_weight": to_host(sample_weight)[rows]}
    return take_rows(X, rows), take_rows(y, rows), weights


def is_own(model):
    """Whether a model fits, predicts and scores as those of this package do, and no subclass's way."""
    names = ("_encode", "_predictors", "fit", "path_models", "predict", "score")
    return all(getattr(type(model), name, is_own).__module__.startswith("mtlreg.") for name in names)
