"""Models whose penalty needs a structure of the tasks, which is read off the training part."""

from __future__ import annotations

from sklearn.base import BaseEstimator, clone

__all__ = ["StructuredByData"]


class StructuredByData(BaseEstimator):
    """A search over a model whose penalty gets its graph or tree from the data it is fitted on.

    The strength is chosen with the structure of the whole training part, so that the inner folds see a little of what
    they are tested on; the test part of an outer split is never seen.

    Parameters
    ----------
    search : PathSearchCV
        Cloned.
    parameter : str
        The search's parameter that takes the structure.
    make : callable
        ``(X, y, task_feature, estimator=) -> structure``: `task_graph` or `task_tree`.
    estimator : estimator or None, default=None
        What ``make`` tells the tasks apart by.
    task_feature : str, int or None, default=None
        The column of X that holds the task; None for shared X.
    """

    def __init__(self, search, parameter, make, estimator=None, task_feature=None):
        self.search = search
        self.parameter = parameter
        self.make = make
        self.estimator = estimator
        self.task_feature = task_feature

    def fit(self, X, y):
        """Make the structure, then search with it."""
        structure = self.make(X, y, self.task_feature, estimator=self.estimator)
        search = clone(self.search).set_params(**{self.parameter: structure}).fit(X, y)
        self.best_estimator_ = search.best_estimator_
        self.best_params_, self.best_score_ = search.best_params_, search.best_score_
        return self

    @property
    def classes_(self):
        """Those of the model."""
        return self.best_estimator_.classes_

    def predict(self, X):
        """Predicted labels of every task."""
        return self.best_estimator_.predict(X)

    def predict_proba(self, X):
        """Class probabilities of every task."""
        return self.best_estimator_.predict_proba(X)
