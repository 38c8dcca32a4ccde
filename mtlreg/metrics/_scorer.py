"""A scorer for scikit-learn's model selection."""

from __future__ import annotations

from sklearn import metrics as skm
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from ..data._split import task_column
from ..data._tables import column_names
from ._registry import find_metric
from ._scores import AVERAGES, check_average, multitask_score


def make_task_scorer(metric, *, average="macro", task_feature=None, response_method=None, greater_is_better=None):
    """Scorer for `cross_val_score`, `GridSearchCV` and the like, for either layout.

    Parameters
    ----------
    metric : str or callable
        As in `task_scores`.
    average : {"macro", "weighted", "pooled"}
        As in `multitask_score`.
    task_feature : str or int, optional
        Task column of the X that the scorer is given. By default that of the estimator, of the last step of a
        pipeline or of the estimator inside a search or a `TransformedTargetRegressor`; for a pipeline the
        column is looked for where the last step sees it.
    response_method : str or tuple of str, optional
        Method whose output is scored, or several of which the first that exists is taken. Default "predict",
        and for the metrics of probabilities "predict_proba" ("roc_auc" and "average_precision": else
        "decision_function").
    greater_is_better : bool, optional
        Known for the short names; default True for a callable. If False, the scorer returns minus the metric.

    Returns
    -------
    scorer : TaskScorer
        ``scorer(estimator, X, y, sample_weight=None)``.

    Examples
    --------
    >>> from mtlreg.metrics import make_task_scorer
    >>> make_task_scorer("rmse", average="weighted")
    make_task_scorer('rmse', average='weighted')
    """
    return TaskScorer(metric, average, task_feature, response_method, greater_is_better)


class TaskScorer:
    """Scorer over tasks, made by `make_task_scorer`.

    Parameters
    ----------
    metric, average, task_feature, response_method, greater_is_better
        As in `make_task_scorer`.
    """

    def __init__(self, metric, average, task_feature, response_method, greater_is_better):
        entry = find_metric(metric)
        check_average(average, AVERAGES)
        self.metric = metric
        self.average = average
        self.task_feature = task_feature
        self.response_method = response_method
        self.greater_is_better = greater_is_better
        better = entry.greater_is_better if greater_is_better is None else greater_is_better
        self._sign = 1.0 if better else -1.0
        self._weight_request = None

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score a fitted estimator on X and y."""
        model, behind = _innermost(estimator)
        if hasattr(model, "scored_part") and (not behind or model.task_feature is None):
            X, y, sample_weight = model.scored_part(X, y, sample_weight)
        classes = getattr(estimator, "classes_", None) if self._methods() != ("predict",) else None
        prediction = self._response(estimator)(X)
        feature, table = self.task_feature, X
        if feature is None:
            feature, table = _find_task_column(estimator, X)
        tasks = None if feature is None else task_column(table, feature)[0]
        score = multitask_score(
            y,
            prediction,
            self.metric,
            average=self.average,
            tasks=tasks,
            sample_weight=sample_weight,
            classes=classes,
        )
        return self._sign * score

    def _methods(self):
        own = self.response_method
        if own is not None:
            return (own,) if isinstance(own, str) else tuple(own)
        if not find_metric(self.metric).probabilities:
            return ("predict",)
        if self.metric in ("log_loss", skm.log_loss):
            return ("predict_proba",)
        return ("predict_proba", "decision_function")

    def _response(self, estimator):
        for method in self._methods():
            if hasattr(estimator, method):
                return getattr(estimator, method)
        raise AttributeError(f"{self!r} needs {' or '.join(self._methods())}; {estimator!r} has none.")

    def _accept_sample_weight(self):
        # Asked by scikit-learn when several scorers are used in one search.
        return True

    def set_score_request(self, *, sample_weight=None):
        """Ask for sample weights when metadata routing is enabled.

        Parameters
        ----------
        sample_weight : bool, None or str
            As in the method of the same name of scikit-learn's estimators.

        Returns
        -------
        self : TaskScorer
        """
        self._weight_request = sample_weight
        return self

    def get_metadata_routing(self):
        """Metadata routing of this scorer."""
        request = MetadataRequest(owner=repr(self))
        request.score.add_request(param="sample_weight", alias=self._weight_request)
        return request

    def __repr__(self):
        given = [getattr(self.metric, "__name__", repr(self.metric))]
        if self.average != "macro":
            given.append(f"average={self.average!r}")
        for name in ("task_feature", "response_method", "greater_is_better"):
            if getattr(self, name) is not None:
                given.append(f"{name}={getattr(self, name)!r}")
        return f"make_task_scorer({', '.join(given)})"


def _innermost(estimator):
    """The fitted model inside searches and pipelines, and whether it is behind other steps."""
    behind = False
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            behind = behind or len(estimator.steps) > 1
            estimator = estimator.steps[-1][1]
        else:
            return estimator, behind


def _find_task_column(estimator, X):
    """``task_feature`` of the estimator, or of the one inside it, and the table that has this column."""
    if hasattr(estimator, "task_feature"):
        return estimator.task_feature, X
    if isinstance(estimator, Pipeline):
        last = estimator.steps[-1][1]
        feature, _ = _find_task_column(last, X)
        untouched = isinstance(feature, str) and feature in (column_names(X) or ())
        if feature is None or untouched or len(estimator.steps) == 1:
            return feature, X
        # A position counts the columns that the last step sees.
        return _find_task_column(last, estimator[:-1].transform(X))
    for attribute in ("best_estimator_", "estimator_", "regressor_", "estimator", "regressor"):
        if hasattr(estimator, attribute):
            return _find_task_column(getattr(estimator, attribute), X)
    return None, X
