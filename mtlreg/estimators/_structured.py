"""Estimators with the names of their models, in a regressor and a classifier form.

A mixin has the model: its docstring, its penalty and what is read off the solution. The classes below it are its
parameters.
"""

from __future__ import annotations

from mtlreg.estimators._classifier import ClassifierBase
from mtlreg.estimators._parameters import parameters
from mtlreg.estimators._regressor import RegressorBase
from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    Coupled,
    Dirty,
    Graph,
    MeanRegularized,
    TemporalSmooth,
    TotalVariation,
)
from mtlreg.penalties._base import check_number

__all__ = [
    "DirtyClassifier",
    "DirtyRegressor",
    "GraphClassifier",
    "GraphRegressor",
    "MeanRegularizedClassifier",
    "MeanRegularizedRegressor",
    "TemporalClassifier",
    "TemporalRegressor",
]


class _Dirty:
    """Multi-task {task} with features of all tasks and exceptions: the dirty model.

    Minimises over W = B + S (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + alpha (n_columns^(ratio (1 - 1/q)) sum_j |B_j|_q + sum_jt |S_jt|)

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, > 0.
    ratio : float, default={ratio}
        How dear sharing is, in [0, 1]: at 0 nothing but shared features (l1/lq), at 1 nothing but exceptions (l1).
    q : float, default={q}
        Exponent of the norm of a shared feature's coefficients, in [1, inf].
    {loss}
    {common}

    {attributes}

    Notes
    -----
    ``components_`` has "shared" (B) and "specific" (S).

    References
    ----------
    Jalali, Ravikumar, Sanghavi & Ruan (2010), A dirty model for multi-task learning, NIPS.
    """

    def _make_penalty(self):
        return Dirty(self.alpha, ratio=self.ratio, q=self.q)


@parameters("regressor", alpha=1.0, ratio=0.5, q=float("inf"), loss="squared")
class DirtyRegressor(_Dirty, RegressorBase):
    pass


@parameters("classifier", alpha=0.01, ratio=0.5, q=float("inf"), loss="logistic")
class DirtyClassifier(_Dirty, ClassifierBase):
    pass


class _MeanRegularized:
    """Multi-task {task} with tasks drawn to their mean.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + (alpha / 2) sum_t |w_t - mean(w)|_2^2 + (alpha_ridge / 2) |W|_F^2

    At alpha = 0 a ridge for each task, for large alpha the same slopes for all tasks with an intercept for each.

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, >= 0.
    alpha_ridge : float, default={alpha_ridge}
        Strength of a ridge part, >= 0; absolute. At 0 the mean is not penalised.
    {loss}
    {common}

    {attributes}

    References
    ----------
    Evgeniou & Pontil (2004), Regularized multi-task learning, KDD, with the mean minimised out.
    """

    def _make_penalty(self):
        return MeanRegularized(self.alpha, self.alpha_ridge)


@parameters("regressor", alpha=1.0, alpha_ridge=0.01, loss="squared")
class MeanRegularizedRegressor(_MeanRegularized, RegressorBase):
    pass


@parameters("classifier", alpha=0.1, alpha_ridge=0.01, loss="logistic")
class MeanRegularizedClassifier(_MeanRegularized, ClassifierBase):
    pass


class _Graph:
    """Multi-task {task} with a graph of tasks that are known to be alike.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + (alpha / 2) sum_{s-t} |r_st| |w_s - sgn(r_st) w_t|_2^2
            + (alpha_ridge / 2) |W|_F^2 + alpha_l1 sum_jt |W_jt|

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, >= 0.
    graph : list of (task, task, weight), dict, data frame, array or sparse matrix, default={graph}
        Edges between tasks, by their labels; those of tasks without data are left out, with a warning. An array has
        the order of ``tasks_``. None: all tasks are joined, with weight 1 / n_tasks. `task_graph` makes one from data.
    alpha_ridge : float, default={alpha_ridge}
        Strength of a ridge part, >= 0; absolute. At 0 what the tasks of a component share is not penalised.
    alpha_l1 : float, default={alpha_l1}
        Strength of the entries' l1 norm, >= 0; absolute.
    {loss}
    {common}

    {attributes}

    References
    ----------
    Evgeniou, Micchelli & Pontil (2005), Learning multiple tasks with kernel methods, JMLR 6, section 3.1.
    """

    def _make_penalty(self):
        return Graph(self.graph, self.alpha, self.alpha_ridge, self.alpha_l1)


@parameters("regressor", alpha=1.0, graph=None, alpha_ridge=0.01, alpha_l1=0.0, loss="squared")
class GraphRegressor(_Graph, RegressorBase):
    pass


@parameters("classifier", alpha=0.1, graph=None, alpha_ridge=0.01, alpha_l1=0.0, loss="logistic")
class GraphClassifier(_Graph, ClassifierBase):
    pass


class _Temporal:
    """Multi-task {task} with tasks in an order, such as visits in time, that change little or seldom.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t)
            + alpha (entry_ratio sum_jt |W_jt| + fused_ratio sum_jt |W_j,t+1 - W_jt|
                     + (1 - entry_ratio - fused_ratio) sum_j |W_j|_2)
            + (alpha_smooth / 2) sum_t |w_{t+1} - w_t|_2^2 + (alpha_ridge / 2) |W|_F^2

    Without ``alpha_smooth`` this is the convex fused sparse group lasso (cFSGL), with it and both ratios 0 the temporal
    group lasso (TGL).

    Parameters
    ----------
    alpha : float, default={alpha}
        Strength, > 0.
    entry_ratio : float, default={entry_ratio}
        Share of the entries' l1 norm, in [0, 1].
    fused_ratio : float, default={fused_ratio}
        Share of the differences, in [0, 1 - entry_ratio].
    alpha_smooth : float, default={alpha_smooth}
        Strength of the squared differences, >= 0; absolute.
    order : list, default={order}
        Labels of the tasks in their order; those of tasks without data are left out. None: the order of ``tasks_``,
        which are the columns of a 2-D y, or the sorted labels of a task column. Names have no order: three or more
        tasks of which one is named by a string, be it "2020-01", are an error then.
    alpha_ridge : float, default={alpha_ridge}
        Strength of a ridge part, >= 0; absolute.
    {loss}
    {common}

    {attributes}

    References
    ----------
    Zhou, Yuan, Liu & Ye (2011), A multi-task learning formulation for predicting disease progression, KDD (TGL);
    Zhou, Liu, Narayan & Ye (2012), Modeling disease progression via fused sparse group lasso, KDD (cFSGL).
    """

    def _make_penalty(self):
        name = type(self).__name__
        for ratio in ("entry_ratio", "fused_ratio"):
            check_number(self, ratio, low=0, high=1)
        for strength in ("alpha", "alpha_smooth", "alpha_ridge"):
            check_number(self, strength, low=0.0, finite=True)
        if self.alpha == 0 and self.alpha_smooth != 0:
            raise ValueError(
                f"{name}(alpha={self.alpha!r}, alpha_smooth={self.alpha_smooth!r}): alpha must be > 0; TemporalSmooth "
                "is the penalty without it."
            )
        rows = 1 - self.entry_ratio - self.fused_ratio
        if rows < -1e-12:
            raise ValueError(
                f"{name}(entry_ratio={self.entry_ratio!r}, fused_ratio={self.fused_ratio!r}): together at most 1."
            )
        parts = [
            ("differences", TotalVariation(float(self.fused_ratio), order=self.order)),
            ("entries", L1(float(self.entry_ratio))),
            ("rows", L21(max(rows, 0.0))),
        ]
        norm = Chain([(part, penalty) for part, penalty in parts if penalty.alpha], self.alpha, self.alpha_ridge)
        if self.alpha_smooth == 0:
            return norm
        return Coupled(norm.with_alpha(1.0), TemporalSmooth(self.alpha_smooth, self.order), self.alpha)


@parameters(
    "regressor",
    alpha=1.0,
    entry_ratio=0.0,
    fused_ratio=0.5,
    alpha_smooth=0.0,
    order=None,
    alpha_ridge=0.0,
    loss="squared",
)
class TemporalRegressor(_Temporal, RegressorBase):
    pass


@parameters(
    "classifier",
    alpha=0.01,
    entry_ratio=0.0,
    fused_ratio=0.5,
    alpha_smooth=0.0,
    order=None,
    alpha_ridge=0.0,
    loss="logistic",
)
class TemporalClassifier(_Temporal, ClassifierBase):
    pass
