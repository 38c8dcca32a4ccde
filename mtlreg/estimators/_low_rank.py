"""Estimators of models on the singular values of the coefficients, in a regressor and a classifier form."""

from __future__ import annotations

import numpy as np

from mtlreg.estimators._classifier import ClassifierBase
from mtlreg.estimators._parameters import parameters
from mtlreg.estimators._regressor import RegressorBase
from mtlreg.penalties import L21, InfimalConvolution, SpectralBoxNorm, TraceNorm, Transposed
from mtlreg.penalties._base import check_number

__all__ = [
    "ClusteredClassifier",
    "ClusteredRegressor",
    "RobustLowRankClassifier",
    "RobustLowRankRegressor",
    "TraceNormClassifier",
    "TraceNormRegressor",
]

RANK_ROUNDING = 1e3  # units in the last place of the largest singular value


def _rank(coef):
    s = np.linalg.svd(np.atleast_2d(coef), compute_uv=False)
    return int(np.sum(s > RANK_ROUNDING * max(coef.shape) * np.finfo(s.dtype).eps * s[0])) if s.size else 0


class _TraceNorm:
    """Multi-task {task} with coefficients in a low-dimensional subspace: the trace norm.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + alpha sum_k sigma_k(W) + (alpha_ridge / 2) |W|_F^2

    with sigma the singular values of W.

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, >= 0.
    alpha_ridge : float, default={alpha_ridge}
        Strength of a ridge part, >= 0; absolute.
    {loss}
    {common}

    {attributes}
    rank_ : int
        Rank of the coefficients as the penalty sees them: after ``standardize`` and ``feature_weights``, without the
        features that are not penalised. Where nothing is (``alpha`` and ``alpha_ridge`` 0), that of ``coef_``.

    References
    ----------
    Ji & Ye (2009), An accelerated gradient method for trace norm minimization, ICML.
    """

    def _make_penalty(self):
        return TraceNorm(self.alpha, alpha_ridge=self.alpha_ridge)

    def _values(self, encoding, table, at):
        values = super()._values(encoding, table, at)
        null = encoding.problem.penalty.null
        return values | {"rank_": _rank(values["coef_"] if null else encoding.penalised(at.x)[0])}


@parameters("regressor", alpha=1.0, alpha_ridge=0.0, loss="squared")
class TraceNormRegressor(_TraceNorm, RegressorBase):
    pass


@parameters("classifier", alpha=0.01, alpha_ridge=0.0, loss="logistic")
class TraceNormClassifier(_TraceNorm, ClassifierBase):
    pass


class _Clustered:
    """Multi-task {task} with clusters of tasks: the convex relaxation of their k-means clustering.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + alpha h (1 + h) min_m sum_k sigma_k(W)^2 / (h + m_k) + (alpha_ridge / 2) |W|_F^2

    with ``h = shape``, ``0 <= m_k <= 1`` and ``sum_k m_k = n_clusters``: the ``n_clusters`` leading singular values,
    which the centres of clusters have, are cheaper than the others, which the tasks' distances from them have. The same
    problem is that of alternating structure optimisation (cASO).

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, >= 0.
    n_clusters : int, default={n_clusters}
        From 1 to the number of columns (of tasks, unless a task has several classes).
    shape : float, default={shape}
        h, > 0: small values make a cluster's tasks equal.
    alpha_ridge : float, default={alpha_ridge}
        Strength of a ridge part, >= 0; absolute.
    {loss}
    {common}

    {attributes}
    task_labels_ : ndarray of shape (n_tasks,)
        Clusters, in the order of ``tasks_``: k-means with ``n_clusters`` clusters and a fixed seed on the tasks'
        coefficients in the space of the leading ``n_clusters`` singular vectors of ``coef_``. There are at most as many
        clusters as tasks, though tasks of several classes have more columns. -1 for all tasks if they differ in their
        number of classes.

    References
    ----------
    Zhou, Chen & Ye (2011), Clustered multi-task learning via alternating structure optimization, NIPS;
    Chen, Tang, Liu & Ye (2009), A convex formulation for learning shared structures from multiple tasks, ICML.
    """

    def _make_penalty(self):
        return SpectralBoxNorm(self.alpha, self.n_clusters, self.shape, self.alpha_ridge)

    def _values(self, encoding, table, at):
        values = super()._values(encoding, table, at)
        return values | {"task_labels_": self._labels(np.atleast_2d(values["coef_"]), encoding.targets)}

    def _labels(self, coef, targets):
        from sklearn.cluster import KMeans

        widths = {target.width for target in targets}
        if len(widths) > 1:
            return np.full(len(targets), -1)
        _, _, directions = np.linalg.svd(coef, full_matrices=False)
        points = (coef @ directions[: self.n_clusters].T).reshape(len(targets), -1)
        # rounding is no difference between tasks
        points = np.round(points / max(np.abs(points).max(), 1e-300), 10)
        n_clusters = min(self.n_clusters, len(np.unique(points, axis=0)))
        return KMeans(n_clusters, n_init=10, random_state=0).fit_predict(points)


@parameters("regressor", alpha=1.0, n_clusters=2, shape=0.1, alpha_ridge=0.0, loss="squared")
class ClusteredRegressor(_Clustered, RegressorBase):
    pass


@parameters("classifier", alpha=0.01, n_clusters=2, shape=0.1, alpha_ridge=0.0, loss="logistic")
class ClusteredClassifier(_Clustered, ClassifierBase):
    pass


class _RobustLowRank:
    """Multi-task {task} in a low-dimensional subspace, but for tasks that are outliers.

    Minimises over W = L + S (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + alpha ((1 - ratio) sum_k sigma_k(L) + ratio sum_t |s_t|_2)

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, > 0.
    ratio : float, default={ratio}
        Share of the outliers' norm, in (0, 1): the smaller, the more tasks are outliers. Both parts are used between
        ``1 / (1 + sqrt(n_tasks))`` and 1/2; from 1/2 on no outlier pays, and the model is `TraceNormRegressor`'s.
    {loss}
    {common}

    {attributes}
    rank_ : int
        Rank of the part "low_rank" as the penalty sees it: after ``standardize`` and ``feature_weights``, without the
        features that are not penalised.
    outlier_tasks_ : list
        Tasks with coefficients in ``components_["outlier"]``.

    References
    ----------
    Chen, Zhou & Ye (2011), Integrating low-rank and group-sparse structures for robust multi-task learning, KDD.
    """

    def _make_penalty(self):
        check_number(self, "alpha", low=0, low_open=True, finite=True)
        check_number(self, "ratio", low=0, high=1, low_open=True, high_open=True)
        parts = [("low_rank", TraceNorm(1.0 - self.ratio)), ("outlier", Transposed(L21(float(self.ratio))))]
        return InfimalConvolution(parts, self.alpha)

    def _values(self, encoding, table, at):
        values = super()._values(encoding, table, at)
        low_rank, outlier = encoding.penalised(at.x)
        outside = outlier.any(axis=0)
        tasks = [task for (task, _), out in zip(encoding.columns, outside, strict=True) if out]
        return values | {"rank_": _rank(low_rank), "outlier_tasks_": list(dict.fromkeys(tasks))}


@parameters("regressor", alpha=1.0, ratio=0.4, loss="squared")
class RobustLowRankRegressor(_RobustLowRank, RegressorBase):
    pass


@parameters("classifier", alpha=0.01, ratio=0.4, loss="logistic")
class RobustLowRankClassifier(_RobustLowRank, ClassifierBase):
    pass
