"""The models that `compare` puts side by side, each taking both doors."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg.compare._search import search
from mtlreg.data import melt, split_task_column
from mtlreg.data._labels import label_matrix, missing_mask
from mtlreg.data._tables import take_rows
from mtlreg.estimators import BlockSparseClassifier, BlockSparseRegressor

__all__ = ["FAMILIES", "IndependentTasks", "TaskDummies", "make_family"]

#: name -> what it says about the tasks
FAMILIES = {
    "independent": "a lasso of its own for every task, each with its own strength",
    "pooled": "the same slopes for all tasks, an intercept for each",
    "l1": "no sharing but one strength for all tasks",
    "l21": "features shared by all tasks",
    "l1linf": "features shared by all tasks, at similar sizes",
    "sparse_group": "features shared by most tasks",
    "mlp": "a neural net that is told the task (scikit-learn's MLP)",
}

_BLOCK_SPARSE = {"l1": {"q": 1.0}, "l21": {}, "l1linf": {"q": float("inf")}, "sparse_group": {"entry_ratio": 0.5}}


def make_family(name, classification, task_feature, random_state):
    """``(estimator, settings of the search)`` of a family."""
    extra = {"single_class": "constant"} if classification else {}
    linear = BlockSparseClassifier if classification else BlockSparseRegressor
    plain = linear(standardize=True, tol=1e-4, **extra)
    if name == "independent":
        return IndependentTasks(clone(plain).set_params(q=1.0), task_feature), None
    if name == "pooled":
        return TaskDummies(clone(plain).set_params(q=1.0, fit_intercept=False), task_feature, free=True), "alpha"
    if name == "mlp":
        net = MLPClassifier if classification else MLPRegressor
        net = net(hidden_layer_sizes=(50,), max_iter=200, learning_rate_init=3e-3, random_state=random_state)
        grid = {"estimator__alpha": [1e-2, 1.0]}
        return TaskDummies(_Scaled(net), task_feature), grid
    return plain.set_params(task_feature=task_feature, **_BLOCK_SPARSE[name]), "alpha"


class _Scaled(BaseEstimator):
    """A net behind a scaler, with the net's penalty as ``alpha``."""

    def __init__(self, net, alpha=1e-2):
        self.net = net
        self.alpha = alpha

    def fit(self, X, y):
        self.pipeline_ = make_pipeline(StandardScaler(), clone(self.net).set_params(alpha=self.alpha)).fit(X, y)
        return self

    def __getattr__(self, name):
        if name in ("predict", "predict_proba", "classes_"):
            return getattr(self.pipeline_, name)
        raise AttributeError(name)


class _BothDoors(BaseEstimator):
    """Prediction for all tasks at once, from a model of one task's rows: ``_predict_task(method, X, task)``."""

    def _respond(self, method, X):
        if self.task_feature is None:
            parts = [self._predict_task(method, X, task) for task in self.tasks_]
            return np.stack(parts, axis=1) if parts[0].ndim == 1 else parts
        rest, tasks, _ = split_task_column(X, self.task_feature)
        out = None
        for task in dict.fromkeys(tasks.tolist()):
            rows = np.flatnonzero(tasks == task)
            part = self._predict_task(method, take_rows(rest, rows), task)
            out = np.zeros((len(tasks), *part.shape[1:]), part.dtype) if out is None else out
            out[rows] = part
        return out

    def predict(self, X):
        """Predicted labels of every task."""
        return self._respond("predict", X)

    def predict_proba(self, X):
        """Class probabilities of every task."""
        return self._respond("predict_proba", X)

    def _tables(self, X, y):
        """``(task, X, y)`` of every task, observed labels only."""
        if self.task_feature is None:
            values, observed, names = label_matrix(y, "y")
            for t in range(values.shape[1]):
                rows = np.flatnonzero(observed[:, t])
                yield (t if names is None else names[t]), take_rows(X, rows), values[rows, t]
            return
        rest, tasks, _ = split_task_column(X, self.task_feature)
        y = np.asarray(y)
        for task in np.unique(tasks).tolist():
            rows = np.flatnonzero((tasks == task) & ~missing_mask(y))
            yield task, take_rows(rest, rows), y[rows]


class IndependentTasks(_BothDoors):
    """A model for every task alone, each with its own strength by cross-validation.

    Parameters
    ----------
    estimator : estimator
        For one task; has ``alpha`` and ``alpha_max``. Cloned.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    """

    def __init__(self, estimator, task_feature=None):
        self.estimator = estimator
        self.task_feature = task_feature

    def fit(self, X, y, scorer=None, folds=3, n_alphas=8, random_state=0):
        self.models_ = {}
        for task, X_t, y_t in self._tables(X, y):
            found = search(self.estimator, "alpha", X_t, y_t, scorer, folds, n_alphas, random_state)
            self.models_[task] = found.estimator
        self.tasks_ = list(self.models_)
        return self

    def _predict_task(self, method, X, task):
        return getattr(self.models_[task], method)(X)


class TaskDummies(_BothDoors):
    """One model for the rows of all tasks, with an indicator column for each task.

    Parameters
    ----------
    estimator : estimator
        For one 1-D y. Cloned.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    free : bool, default=False
        Leave the indicators unpenalised (the estimator has ``feature_weights``): pooled slopes with an intercept for
        every task.
    alpha : float, default=None
        Strength given to the estimator; None leaves its own.
    """

    def __init__(self, estimator, task_feature=None, free=False, alpha=None):
        self.estimator = estimator
        self.task_feature = task_feature
        self.free = free
        self.alpha = alpha

    def fit(self, X, y):
        table, tasks, y = self._long(X, y)
        self.tasks_ = np.unique(tasks).tolist()
        self.estimator_ = self._prepared(table.shape[1])
        self.estimator_.fit(self._with_dummies(table, tasks), y)
        return self

    def alpha_max(self, X, y):
        """The strength at which all slopes are zero."""
        table, tasks, y = self._long(X, y)
        self.tasks_ = np.unique(tasks).tolist()
        return self._prepared(table.shape[1]).alpha_max(self._with_dummies(table, tasks), y)

    def _prepared(self, n_features):
        model = clone(self.estimator)
        if self.alpha is not None:
            model.set_params(alpha=self.alpha)
        if self.free:
            weights = np.r_[np.ones(n_features), np.zeros(len(self.tasks_))]
            model.set_params(feature_weights=weights)
        return model

    def _long(self, X, y):
        if self.task_feature is None:
            table, y = melt(np.asarray(X, dtype=float), y)
            return table[:, :-1].astype(float), table[:, -1].astype(int), y
        rest, tasks, _ = split_task_column(X, self.task_feature)
        y = np.asarray(y)
        rows = np.flatnonzero(~missing_mask(y))
        return np.asarray(take_rows(rest, rows), dtype=float), tasks[rows], y[rows]

    def _with_dummies(self, table, tasks):
        dummies = np.asarray(tasks)[:, None] == np.asarray(self.tasks_)[None, :]
        return np.hstack([table, dummies.astype(float)])

    def _predict_task(self, method, X, task):
        X = np.asarray(X, dtype=float)
        return getattr(self.estimator_, method)(self._with_dummies(X, np.full(len(X), task)))

    @property
    def dual_gap_(self):
        """Certified gap of the one model, where it has one."""
        return getattr(self.estimator_, "dual_gap_", np.nan)

    @property
    def coef_(self):
        """Slopes, without the indicators."""
        return np.atleast_2d(self.estimator_.coef_)[:, : -len(self.tasks_)]
