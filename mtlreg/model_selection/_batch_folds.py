"""Cross-validation on a GPU: all strengths in all splits at once.

To every fit the rows left out have weight zero, so that all of them have the same X and a step is one product of it.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from mtlreg.data._tables import kind, take_rows
from mtlreg.estimators._base import MultiTaskBase
from mtlreg.model_selection._scored import PathScores, split_rows
from mtlreg.solvers import batch
from mtlreg.validation import is_sparse, to_host

__all__ = ["BatchFolds"]


@dataclass
class Fold:
    """A split as a fit knows it: a model, and an encoding in which the rows left out have no weight."""

    model: MultiTaskBase
    encoding: object
    table: object


@dataclass
class BatchFolds:
    """What the models of a search have in common: the data, as given and where they are computed with, and splits."""

    X: object
    there: object
    y: object
    sample_weight: object
    splits: list
    folds: list

    @classmethod
    def of(cls, models, X, y, sample_weight, splits):
        """The folds, or None where splits are fitted one after the other.

        They are for dense X on another device, and models whose problems `mtlreg.solvers.batch` takes.
        """
        if not all(_elsewhere(model, X) for model in models):
            return None
        there, folds = None, []
        for model in models:
            try:
                of_model = [_fold(model, X, y, sample_weight, train, there) for train, _ in splits]
            except ValueError:
                return None  # an error that the plain fit words
            if not all(batch.handles_one(fold.encoding.problem, model.solver) for fold in of_model):
                return None
            there = of_model[0].table.X
            folds.append(of_model)
        return cls(X, there, y, sample_weight, splits, folds)

    def tables(self, models, grids, scorer, metrics, error_score, with_train):
        """Tables of all models in all splits, model after model."""
        runs = []
        for model, folds, grid in zip(models, self.folds, grids, strict=True):
            scored = [self._scores(k, len(grid), scorer, metrics, with_train) for k in range(len(self.splits))]
            try:
                self._run(model, folds, grid, scored)
            except Exception as error:
                if error_score == "raise":
                    raise
                for scores in scored:
                    scores.fail(error, error_score)
            runs += [scores.table() for scores in scored]
        return runs

    def _scores(self, k, n_alphas, scorer, metrics, with_train):
        train, test = self.splits[k]
        parts = {"test": split_rows(self.X, self.y, self.sample_weight, test)}
        if with_train:
            parts["train"] = split_rows(self.X, self.y, self.sample_weight, train)
        return PathScores(parts, n_alphas, scorer, metrics)

    def _run(self, model, folds, grid, scored):
        """Fit and score the models of all strengths in all splits."""
        rows = [dict(zip(("train", "test"), split, strict=True)) for split in self.splits]
        there = [
            {part: take_rows(self.there, rows[k][part]) for part in scores.parts} for k, scores in enumerate(scored)
        ]
        settings = {"tol": model.tol, "max_iter": model.max_iter, "verbose": model.verbose}
        solutions = batch.solve_batches([fold.encoding.problem for fold in folds], grid.tolist(), **settings)
        clock = time.perf_counter()
        for i, alpha in enumerate(grid.tolist()):
            of_splits = next(solutions)
            seconds = (time.perf_counter() - clock) / len(folds)
            for k, (fold, solution) in enumerate(zip(folds, of_splits, strict=True)):
                scored[k].fit_seconds[i] = seconds
                fitted = fold.model._at_strength(alpha, fold.encoding, fold.table, solution, self.X)
                for part, X in there[k].items():
                    scored[k].add(i, _predicted(fitted, X), part)
            clock = time.perf_counter()


def _elsewhere(model, X):
    """Whether a model is computed on another device, with dense X."""
    linear = isinstance(model, MultiTaskBase) and model.task_feature is None and not is_sparse(X)
    there = kind(X) == "array" and not is_numpy_array(X)
    return linear and (model.device == "cuda" or model.device == "auto" and there)


def _fold(model, X, y, sample_weight, train, there):
    """The fold of some training rows; X where it computes, if it is there already."""
    n = X.shape[0]
    weights = np.ones(n) if sample_weight is None else to_host(sample_weight).astype(np.float64)
    times = np.bincount(np.arange(n)[train], minlength=n)  # a row may be there more than once
    weights = weights * (times if weights.ndim < 2 else times[:, None])
    work = copy.copy(model)
    return Fold(work, *work._encode(X, y, weights, alpha=1.0, there=there))


def _predicted(fitted, X):
    """A fitted model that has predicted rows, on their device, before it is asked to."""
    xp = array_namespace(X)
    coef = xp.asarray(np.atleast_2d(to_host(fitted.coef_)).T, dtype=X.dtype)
    eta = to_host(X @ coef) + np.atleast_1d(to_host(fitted.intercept_))
    fitted = copy.copy(fitted)
    fitted._predictors = lambda _: (eta, None)
    return fitted
