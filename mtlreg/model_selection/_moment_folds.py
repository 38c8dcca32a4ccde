"""Cross-validation of the squared loss from moments: one pass over the data for all splits and all strengths.

The moments of a training part are those of all rows less those of its test part; coefficients need p x p matrices only,
and so do the squared errors on the test part.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from mtlreg.data._tables import kind, take_rows
from mtlreg.estimators._regressor import RegressorBase
from mtlreg.losses import Squared
from mtlreg.model_selection._scored import PathScores, is_own
from mtlreg.moments import Moments
from mtlreg.path import solve_path
from mtlreg.validation import to_device, to_host

__all__ = ["MomentFolds"]

LARGEST = 1000  # features, times the number of Gram matrices


@dataclass
class Fold:
    """Moments of a split, and for which tasks R2 is defined in each part."""

    train: Moments
    test: Moments
    defined: dict


@dataclass
class MomentFolds:
    """What all models of a search share: ``folds`` in the order of the splits, ``columns`` as a penalty binds them."""

    folds: list
    columns: list

    @classmethod
    def of(cls, models, X, y, sample_weight, splits, scoring):
        """The folds, or None where moments do not apply.

        They do for the squared loss, shared dense rows, at least twice as many as features, complementary splits whose
        test parts do not overlap, and the default score (macro R2).
        """
        if scoring is not None or not all(_squared(model) for model in models) or len({m.device for m in models}) > 1:
            return None
        table, _ = models[0]._read_targets(X, y, sample_weight)
        weights, (n, p) = table.weights, table.X.shape
        n_train = min(len(train) for train, _ in splits)
        if kind(table.X) not in ("numpy", "array") or n_train < 2 * p or p * weights.shape[1] > LARGEST:
            return None
        owner = np.full(n, -1)
        for k, (train, test) in enumerate(splits):
            once = (np.bincount(np.concatenate([train, test]), minlength=n) == 1).all()
            if not once or (owner[test] >= 0).any():
                return None
            owner[test] = k
        labels = np.where(weights > 0, table.y, 0.0).astype(np.float64)
        if all(model.fit_intercept for model in models):
            labels -= (labels * weights).sum(axis=0) / weights.sum(axis=0, dtype=np.float64)
        columns = [(task, None) for task in table.task_names]
        X = to_device(table.X, models[0].device)
        return cls._collect(X, labels, weights, owner, len(splits), columns)

    @classmethod
    def _collect(cls, X, labels, weights, owner, n_splits, columns):
        n = X.shape[0]
        shift = to_host(take_rows(X, np.arange(0, n, max(1, n // 1000)))).mean(axis=0, dtype=np.float64)

        def moments(rows):
            return Moments.from_data(take_rows(X, rows), labels[rows], weights[rows], shift)

        parts = [moments(np.flatnonzero(owner == k)) for k in range(n_splits)]
        left = np.flatnonzero(owner < 0)
        whole = sum(parts[1:], parts[0])
        whole = whole + moments(left) if left.size else whole
        folds = []
        for k, part in enumerate(parts):
            train = whole - part
            if (train.w <= 0).any():
                return None  # an error that the plain fit words
            defined = {
                name: _varies(labels[rows], weights[rows])
                for name, rows in (("test", owner == k), ("train", owner != k))
            }
            folds.append(Fold(train, part, defined))
        return cls(folds, columns)

    def score_path(self, model, grid, k, error_score, with_train):
        """What `mtlreg.model_selection._scored.score_path` returns, for split k."""
        fold = self.folds[k]
        parts = {"test": fold.test, "train": fold.train} if with_train else {"test": fold.test}
        scores = PathScores(parts, len(grid), ["score"])
        settings = {"tol": model.tol, "max_iter": model.max_iter, "verbose": model.verbose}
        with scores.guarded(error_score):
            clock = time.perf_counter()
            problem, inverse = _problem(model, fold.train, self.columns)
            for i, solution in enumerate(solve_path(problem, grid, model.solver, **settings)):
                scores.fit_seconds[i] = time.perf_counter() - clock
                coef = problem.total(solution.x) * inverse[:, None]
                intercept = _intercepts(fold.train, coef) if model.fit_intercept else np.zeros(coef.shape[1])
                for name, part in parts.items():
                    clock = time.perf_counter()
                    scores.put(i, name, _macro_r2(part, coef, intercept, fold.defined[name]), clock)
                clock = time.perf_counter()
        return scores.table()


def _intercepts(moments, coef):
    """With which the residuals have mean zero."""
    mean_x, mean_y = moments.means()
    return mean_y - np.einsum("tj,jt->t", np.broadcast_to(mean_x, coef.T.shape), coef)


def _squared(model):
    """Whether the model is one whose problem `Moments.problem` states."""
    shared = isinstance(model, RegressorBase) and model.task_feature is None
    if not shared or model.task_weight is not None or model.standardize == "per_task":
        return False
    loss = model.loss
    f = np.ones(1) if model.feature_weights is None else np.asarray(model.feature_weights, dtype=float)
    plain = isinstance(loss, Squared) or isinstance(loss, str) and loss == Squared.name
    return plain and is_own(model) and bool((f > 0).all()) and not model._make_penalty().null


def _varies(labels, weights):
    """For which tasks there are two different labels."""
    counted = np.broadcast_to(weights > 0, labels.shape)
    high = np.where(counted, labels, -np.inf).max(axis=0, initial=-np.inf)
    return high > np.where(counted, labels, np.inf).min(axis=0, initial=np.inf)


def _problem(model, moments, columns):
    """The problem of a training part, and what its coefficients are multiplied with."""
    inverse = np.ones(len(moments.shift))
    if model.feature_weights is not None:
        inverse = inverse / np.asarray(model.feature_weights, dtype=float)
    if model.standardize:
        inverse = inverse / moments.standard_deviations()
    penalty = model._make_penalty().bind(columns)
    return moments.problem(penalty.with_alpha(1.0), model.fit_intercept, inverse), inverse


def _macro_r2(part, coef, intercept, defined):
    if not defined.any():
        return np.nan
    squares = part.residual_squares(coef, intercept)[defined]
    return float(np.mean(1 - squares / (part.yy - part.y**2 / part.w)[defined]))
