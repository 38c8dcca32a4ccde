"""Baselines for both ways of giving tasks: a model for every task, and one model that is told the task."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.dummy import DummyClassifier

from mtlreg.data import melt, split_task_column
from mtlreg.data._labels import infer_dtype, label_matrix, missing_mask
from mtlreg.data._tables import take_rows
from mtlreg.validation import to_host

__all__ = ["IndependentTasks", "TaskDummies"]


class _BothDoors(BaseEstimator):
    """Prediction for all tasks at once, from ``_predict_task(method, X, task)`` of one task's rows."""

    def _respond(self, method, X):
        if self.task_feature is None:
            parts = [self._predict_task(method, X, task) for task in self.tasks_]
            return np.stack(parts, axis=1) if parts[0].ndim == 1 else parts
        rest, tasks, _ = split_task_column(X, self.task_feature)
        parts = []
        for task in dict.fromkeys(tasks.tolist()):
            rows = np.flatnonzero(tasks == task)
            part = self._predict_task(method, take_rows(rest, rows), task)
            parts.append((rows, part if method == "predict" else self._over_all_classes(part, task)))
        out = np.zeros((len(tasks), *parts[0][1].shape[1:]), np.result_type(*(part for _, part in parts)))
        for rows, part in parts:
            out[rows] = part
        return out

    def _over_all_classes(self, probabilities, task):
        """Columns for all ``classes_``, zero at those the model of this task does not know."""
        out = np.zeros((len(probabilities), len(self.classes_)))
        out[:, np.searchsorted(self.classes_, self._classes_of(task))] = probabilities
        return out

    def predict(self, X):
        """Predicted labels of every task."""
        return self._respond("predict", X)

    def predict_proba(self, X):
        """Class probabilities of every task."""
        return self._respond("predict_proba", X)


class IndependentTasks(_BothDoors):
    """A model for every task alone.

    Parameters
    ----------
    estimator : estimator
        For one task; cloned. A search gives every task a strength of its own.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    """

    def __init__(self, estimator, task_feature=None):
        self.estimator = estimator
        self.task_feature = task_feature

    def fit(self, X, y):
        """Fit a model on the observed labels of each task."""
        self.models_ = {task: self._fit_task(X_t, y_t) for task, X_t, y_t in self._tables(X, y)}
        self.tasks_ = list(self.models_)
        if is_classifier(self.estimator):
            classes = [self._classes_of(task) for task in self.tasks_]
            self.classes_ = classes if self.task_feature is None else np.unique(np.concatenate(classes))
        return self

    def _fit_task(self, X, y):
        # a task of one class has nothing to learn, and says that class
        alone = is_classifier(self.estimator) and len(np.unique(y)) == 1
        return (DummyClassifier() if alone else clone(self.estimator)).fit(X, y)

    def _classes_of(self, task):
        return self.models_[task].classes_

    def _tables(self, X, y):
        """``(task, X, y)`` of every task, observed labels only."""
        if self.task_feature is None:
            values, observed, names = label_matrix(y, "y")
            for t in range(values.shape[1]):
                rows = np.flatnonzero(observed[:, t])
                yield (t if names is None else names[t]), take_rows(X, rows), infer_dtype(values[rows, t])
            return
        rest, tasks, _ = split_task_column(X, self.task_feature)
        y = np.asarray(y)
        for task in np.unique(tasks).tolist():
            rows = np.flatnonzero((tasks == task) & ~missing_mask(y))
            yield task, take_rows(rest, rows), infer_dtype(y[rows])

    def _predict_task(self, method, X, task):
        return getattr(self.models_[task], method)(X)


class TaskDummies(_BothDoors):
    """One model for the rows of all tasks, with or without an indicator column for each task.

    Parameters
    ----------
    estimator : estimator
        For one 1-D y. Cloned.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    dummies : {"none", "features", "free"}, default="features"
        "none": the model does not know the task. "features": the indicators are features as others. "free": they are
        not penalised (the estimator has ``feature_weights``): pooled slopes with an intercept for every task.
    """

    def __init__(self, estimator, task_feature=None, dummies="features"):
        self.estimator = estimator
        self.task_feature = task_feature
        self.dummies = dummies

    def fit(self, X, y):
        """Fit the model on all observed labels."""
        table, y = self._long(X, y)
        self.estimator_ = self._prepared(table, y).fit(table, y)
        if is_classifier(self.estimator):
            classes = self.estimator_.classes_
            self.classes_ = classes if self.task_feature is not None else [classes] * len(self.tasks_)
        return self

    def _classes_of(self, task):
        return self.estimator_.classes_

    # -- a path, if the estimator has one: what `PathSearchCV` asks for --

    @property
    def strength(self):
        """Name of the parameter that is the strength."""
        return f"estimator__{self.estimator.strength}"

    def with_strength(self, alpha):
        """Give the estimator this strength."""
        return self.set_params(estimator=clone(self.estimator).with_strength(alpha))

    def path_alphas(self, X, y, alphas=100, *, eps=1e-3, sample_weight=None):
        """Strengths below that at which all slopes are zero."""
        table, y = self._long(X, y)
        return self._prepared(table, y).path_alphas(table, y, alphas, eps=eps)

    def path_models(self, X, y, alphas=100, *, eps=1e-3, sample_weight=None):
        """Yield a fitted model for each strength."""
        table, y = self._long(X, y)
        for fitted in self._prepared(table, y).path_models(table, y, alphas, eps=eps):
            model = copy.copy(self)
            model.estimator_ = fitted
            if is_classifier(self.estimator):
                model.classes_ = (
                    fitted.classes_ if self.task_feature is not None else [fitted.classes_] * len(self.tasks_)
                )
            yield model

    # -- tables --

    def _prepared(self, table, y):
        model = clone(self.estimator)
        if self.dummies == "free":
            n_slopes = table.shape[1] - len(self.tasks_)
            indicators = table[:, n_slopes:] > 0
            # a free intercept of a task that has one class would run to infinity
            alone = [is_classifier(model) and len(np.unique(y[rows])) == 1 for rows in indicators.T]
            model.set_params(feature_weights=np.r_[np.ones(n_slopes), np.array(alone, dtype=float)])
        return model

    def _long(self, X, y):
        """Rows of all tasks with a column for each of ``tasks_``, which it sets, and their labels."""
        if self.task_feature is None:
            table, y = melt(np.asarray(X, dtype=float), label_matrix(y, "y")[0])
            table, tasks, y = table[:, :-1].astype(float), table[:, -1].astype(int), infer_dtype(np.asarray(y))
        else:
            rest, tasks, _ = split_task_column(X, self.task_feature)
            y = np.asarray(y)
            rows = np.flatnonzero(~missing_mask(y))
            table, tasks, y = np.asarray(take_rows(rest, rows), dtype=float), tasks[rows], infer_dtype(y[rows])
        self.tasks_ = np.unique(tasks).tolist()
        return self._with_dummies(table, tasks), y

    def _with_dummies(self, table, tasks):
        if self.dummies == "none":
            return table
        indicators = np.asarray(tasks)[:, None] == np.asarray(self.tasks_)[None, :]
        return np.hstack([table, indicators.astype(float)])

    def _predict_task(self, method, X, task):
        X = np.asarray(X, dtype=float)
        return getattr(self.estimator_, method)(self._with_dummies(X, np.full(len(X), task)))

    @property
    def slopes_(self):
        """Coefficients of the features, without the indicators."""
        coef = np.atleast_2d(to_host(self.estimator_.coef_))
        return coef if self.dummies == "none" else coef[:, : -len(self.tasks_)]
