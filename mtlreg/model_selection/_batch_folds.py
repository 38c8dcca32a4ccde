"""Cross-validation on a GPU: all strengths in all splits at once.

To every fit the rows left out have weight zero, so that all of them have the same X and a step is one product of it.
"""

from __future__ import annotations

import copy
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from mtlreg.data._tables import is_sparse, kind, take_rows
from mtlreg.estimators._base import MultiTaskBase
from mtlreg.model_selection._scored import PathScores, is_own, split_rows
from mtlreg.solvers import batch
from mtlreg.solvers._base import levels_above_package
from mtlreg.validation import to_host

__all__ = ["BatchFolds"]


@dataclass
class Fold:
    """A split as a fit knows it: a model, and an encoding in which the rows left out have no weight."""

    model: MultiTaskBase
    encoding: object
    table: object


@dataclass
class BatchFolds:
    """The data of a search as given, and its splits; X is brought to a device once."""

    X: object
    y: object
    sample_weight: object
    splits: list
    there: dict = field(default_factory=dict)

    def tables(self, model, grid, scorer, metrics, error_score, with_train):
        """The tables of a model in all splits, or None where these are fitted one after the other.

        Together are solved those that `mtlreg.solvers.batch` takes, on dense X on another device.
        """
        folds = self._folds(model) if self._elsewhere(model) else None
        if folds is None or not _alike(folds):
            return None
        try:
            return self._scored(folds, grid, scorer, metrics, error_score, with_train)
        except MemoryError:
            text = "Out of memory for all splits together: they are fitted one after the other."
            warnings.warn(text, stacklevel=levels_above_package())
            return None

    def _folds(self, model):
        """The folds of a model; None at the first that cannot stand beside others."""
        folds = []
        try:
            for train, _ in self.splits:
                folds.append(self._fold(model, train))
                if not batch.handles_one(folds[-1].encoding.problem, model.solver):
                    return None
        except (MemoryError, ValueError):
            return None  # an error that the plain fit words, or does not make
        return folds

    def _elsewhere(self, model):
        """Whether a model is computed on another device, by the package's own methods."""
        linear = isinstance(model, MultiTaskBase) and model.task_feature is None and not is_sparse(self.X)
        there = kind(self.X) == "array" and not is_numpy_array(self.X)
        return linear and is_own(model) and (model.device == "cuda" or model.device == "auto" and there)

    def _fold(self, model, train):
        """The fold of some training rows."""
        n = self.X.shape[0] if hasattr(self.X, "shape") else len(self.X)
        weights = np.ones(n) if self.sample_weight is None else to_host(self.sample_weight).astype(np.float64)
        times = np.bincount(train, minlength=n)  # a row may be there more than once
        weights = weights * (times if weights.ndim < 2 else times[:, None])
        work = copy.copy(model)
        encoding, table = work._encode(self.X, self.y, weights, alpha=1.0, there=self.there.get(model.device))
        self.there[model.device] = table.X
        return Fold(work, encoding, table)

    def _scored(self, folds, grid, scorer, metrics, error_score, with_train):
        """Fit and score the models of all strengths in all splits."""
        names = ("test", "train") if with_train else ("test",)
        where = [dict(zip(("train", "test"), split, strict=True)) for split in self.splits]
        parts = [{name: split_rows(self.X, self.y, self.sample_weight, at[name]) for name in names} for at in where]
        scores = [PathScores(names, len(grid), metrics) for _ in folds]
        settings = {name: getattr(folds[0].model, name) for name in ("tol", "max_iter", "verbose")}
        solutions = batch.solve_batches([fold.encoding.problem for fold in folds], grid.tolist(), **settings)
        clock = time.perf_counter()
        for i, alpha in enumerate(grid.tolist()):
            of_splits = next(solutions)
            seconds = (time.perf_counter() - clock) / len(folds)
            models = [
                fold.model._at_strength(alpha, fold.encoding, fold.table, solution, self.X)
                for fold, solution in zip(folds, of_splits, strict=True)
            ]
            predictors = _predictors(models, folds[0].table.X)
            for k, (model, eta) in enumerate(zip(models, predictors, strict=True)):
                scores[k].fit_seconds[i] = seconds
                for name in names if scores[k].failure is None else ():
                    with scores[k].guarded(error_score), _predicted(model, parts[k][name][0], eta, where[k][name]):
                        scores[k].score(i, name, scorer, model, parts[k][name])
            clock = time.perf_counter()
        return [of_split.table() for of_split in scores]


def _alike(folds):
    """Whether the problems of all folds stand side by side, and leaving rows out changes nothing but weights."""
    problems = [fold.encoding.problem for fold in folds]
    shapes = {problem.design.shape_w for problem in problems}
    losses = {repr(segment.loss) for problem in problems for segment in problem.losses.segments}
    # without some rows unpenalised features may be collinear, and then they are encoded in another way
    free = any(fold.encoding.free is not None and fold.encoding.free.features.size for fold in folds)
    return len(shapes) == len(losses) == 1 and not free


def _predictors(models, X):
    """Linear predictors of all rows by every model, from one product on the device of X."""
    xp = array_namespace(X)
    coefs = [np.atleast_2d(to_host(model.coef_)) for model in models]
    eta = X @ xp.asarray(np.concatenate(coefs).T, dtype=X.dtype)
    width = coefs[0].shape[0]
    return [eta[:, k * width : (k + 1) * width] for k in range(len(models))]


@contextmanager
def _predicted(model, X, eta, rows):
    """Within it a model knows its predictors of some rows, for which a scorer will ask; those of other X it finds."""
    model._predictors = _Known(model, X, to_host(take_rows(eta, rows)) + np.atleast_1d(to_host(model.intercept_)))
    try:
        yield
    finally:
        del model._predictors


@dataclass
class _Known:
    """In the place of a model's own method."""

    model: MultiTaskBase
    X: object
    eta: np.ndarray

    def __call__(self, X):
        return (self.eta, None) if X is self.X else type(self.model)._predictors(self.model, X)
