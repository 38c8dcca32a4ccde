"""The models that `compare` puts side by side: a name, a line of text, and an estimator with its search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtlreg.compare._baselines import IndependentTasks, TaskDummies
from mtlreg.compare._structure import StructuredByData
from mtlreg.estimators import MultiTaskClassifier, MultiTaskRegressor
from mtlreg.metrics import make_task_scorer
from mtlreg.model_selection import PathSearchCV, StratifiedTaskKFold
from mtlreg.neural import SharedLayerClassifier, SharedLayerRegressor
from mtlreg.penalties import (
    L1,
    L21,
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    Chain,
    ClusterNorm,
    Coupled,
    FusedSqrt,
    Graph,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    SparseGroup,
    SpectralBoxNorm,
    SqrtL1Fused,
    SquaredTraceNorm,
    TemporalSmooth,
    TotalVariation,
    TraceNorm,
    Transposed,
    TreeGroups,
)
from mtlreg.structure import task_graph, task_tree

__all__ = [
    "DEFAULT_FAMILIES",
    "FAMILIES",
    "NEED_ORDER",
    "PENALTIES",
    "REGRESSION_ONLY",
    "Settings",
    "make_extra",
    "make_family",
]

#: name -> what it says about the tasks
FAMILIES = {
    "independent": "a lasso of its own for every task, each with its own strength",
    "pooled": "one model for all rows, which does not know the task",
    "pooled_intercepts": "the same slopes for all tasks, a free intercept for each",
    "l1": "no sharing but one strength for all tasks",
    "l21": "features shared by all tasks",
    "l1linf": "features shared by all tasks, at similar sizes",
    "sparse_group": "features shared by most tasks",
    "dirty": "features shared by all tasks, and features of single tasks",
    "trace": "a low-dimensional space shared by all tasks",
    "mean": "tasks drawn to their mean",
    "net": "a neural net with hidden layers shared by all tasks",
    "mlp": "a neural net that is told the task (scikit-learn's MLP)",
    "squared_trace": "the same space as trace, with the squared trace norm",
    "clusters": "two clusters of tasks, around a mean of all",
    "robust_low_rank": "a low-dimensional space, and tasks outside it",
    "robust_features": "features shared by all tasks, and tasks with features of their own",
    "sparse_low_rank": "a low-dimensional space, and single coefficients beside it",
    "box": "a space of about two dimensions shared by all tasks",
    "l1lq": "features shared by all tasks, between l21 and l1linf",
    "graph": "tasks drawn to those that predict alike on their own",
    "graph_fused": "the same coefficients in tasks that predict alike on their own",
    "tree": "features shared within groups of tasks that predict alike on their own",
    "temporal": "the same coefficients in neighbours in the order of the tasks, few features",
    "temporal_smooth": "neighbours in the order of the tasks are alike, features shared by all",
    "mcp": "features shared by all tasks, large ones not shrunk (not convex)",
    "scad": "as mcp, between it and l21 (not convex)",
    "power": "as mcp, with the square root of the norms (not convex)",
    "log": "as mcp, with the logarithm of the norms: reweighted l21 (not convex)",
    "capped_l1": "few features, those beyond a size not shrunk (not convex)",
    "multi_level": "features shared by all tasks, few entries in each (not convex)",
    "fused_root": "as temporal, large features less shrunk (not convex)",
    "root_fused": "the same with the differences outside the root (not convex)",
    "calibrated": "features shared by all tasks, whatever their noise (regression only)",
}
#: what is compared unless more is asked for
DEFAULT_FAMILIES = tuple(FAMILIES)[: tuple(FAMILIES).index("net") + 1]
REGRESSION_ONLY = ("calibrated",)
NEED_ORDER = ("temporal", "temporal_smooth", "fused_root", "root_fused")

#: the penalty of every family but the yardsticks and the net
PENALTIES = {
    "l1": L1(),
    "l21": L21(),
    "l1linf": L1Linf(),
    "sparse_group": SparseGroup(entry_ratio=0.5),
    "dirty": InfimalConvolution([("shared", L21(1.0)), ("specific", L1(0.7))]),
    "trace": TraceNorm(),
    "mean": MeanRegularized(alpha_ridge=0.01),
    "squared_trace": SquaredTraceNorm(),
    "clusters": ClusterNorm(),
    "robust_low_rank": InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]),
    "robust_features": InfimalConvolution([("shared", L21(0.5)), ("outlier", Transposed(L21(0.5)))]),
    "sparse_low_rank": InfimalConvolution([("low_rank", TraceNorm(0.7)), ("sparse", L1(0.3))]),
    "box": SpectralBoxNorm(n_clusters=2, shape=0.1),
    "l1lq": L1Lq(q=3.0),
    "graph": Graph(alpha_ridge=0.01),
    "graph_fused": GraphFused(fused_ratio=0.5),
    "tree": TreeGroups(),
    "temporal": Chain([TotalVariation(0.5), L21(0.5)]),
    "temporal_smooth": Coupled(L21(), TemporalSmooth(0.1)),
    "mcp": BlockMCP(),
    "scad": BlockSCAD(),
    "power": BlockPower(),
    "log": BlockLog(),
    "capped_l1": CappedL1(),
    "multi_level": BlockPower(q=1.0),
    "fused_root": FusedSqrt(),
    "root_fused": SqrtL1Fused(alpha_fused=0.01),
    "calibrated": L21(),
}


#: those whose penalty needs a structure: its parameter, and what makes it
_STRUCTURES: dict[str, tuple[str, Callable]] = {
    "graph": ("graph", task_graph),
    "graph_fused": ("graph", task_graph),
    "tree": ("tree", task_tree),
}


@dataclass(frozen=True)
class Settings:
    """What all models of a comparison have in common."""

    classification: bool
    task_feature: object
    metric: str
    inner_cv: int
    n_alphas: int
    random_state: int
    choose_by: str = "macro"

    def scorer(self, task_feature):
        """By which strengths are chosen."""
        return make_task_scorer(self.metric, task_feature=task_feature, average=self.choose_by)

    def folds(self, task_feature):
        """Folds inside a training part."""
        return StratifiedTaskKFold(
            self.inner_cv,
            task_feature=task_feature,
            classes=self.classification,
            random_state=self.random_state,
        )


def make_family(name, settings):
    """An estimator that chooses its own strength inside the data it is fitted on."""
    linear = MultiTaskClassifier if settings.classification else MultiTaskRegressor
    extra = {"single_class": "constant"} if settings.classification else {}
    plain = linear(L1(), standardize=True, tol=1e-4, **extra)
    if name == "independent":
        return IndependentTasks(_search(plain, settings, None), settings.task_feature)
    if name == "pooled":
        return _search(TaskDummies(plain, settings.task_feature, "none"), settings, settings.task_feature)
    if name == "pooled_intercepts":
        slopes = clone(plain).set_params(fit_intercept=False)
        return _search(TaskDummies(slopes, settings.task_feature, "free"), settings, settings.task_feature)
    if name == "net":
        return _net(settings)
    if name == "mlp":
        return _told_net(settings)
    model = linear(clone(PENALTIES[name]), standardize=True, tol=1e-4, task_feature=settings.task_feature, **extra)
    if name == "calibrated":
        model.set_params(loss="calibrated")
    search = _search(model, settings, settings.task_feature)
    if name not in _STRUCTURES:
        return search
    parameter, make = _STRUCTURES[name]
    alone = clone(plain).set_params(penalty=L1(0.0, alpha_ridge=0.1))
    return StructuredByData(search, f"estimator__penalty__{parameter}", make, alone, settings.task_feature)


def _search(model, settings, task_feature):
    return PathSearchCV(
        model,
        alphas=settings.n_alphas,
        eps=1e-2,
        cv=settings.folds(task_feature),
        scoring=settings.scorer(task_feature),
        error_score=np.nan,
    )


#: of both nets
UNITS, RATE = (50,), 3e-3


def _net(settings):
    kind = SharedLayerClassifier if settings.classification else SharedLayerRegressor
    extra = {"single_class": "constant"} if settings.classification else {}
    net = kind(UNITS, learning_rate_init=RATE, random_state=settings.random_state, **extra)
    net.set_params(early_stopping=True, task_feature=settings.task_feature)
    return _over(net, {"alpha": [1e-3, 0.1]}, settings)


def _told_net(settings):
    kind = MLPClassifier if settings.classification else MLPRegressor
    net = kind(hidden_layer_sizes=UNITS, max_iter=200, learning_rate_init=RATE, random_state=settings.random_state)
    model = TaskDummies(make_pipeline(StandardScaler(), net), settings.task_feature)
    return _over(model, {f"estimator__{kind.__name__.lower()}__alpha": [1e-2, 1.0]}, settings)


def _over(model, grid, settings):
    folds, scorer = settings.folds(settings.task_feature), settings.scorer(settings.task_feature)
    return GridSearchCV(model, grid, cv=folds, scoring=scorer)


def make_extra(estimator, settings):
    """A user's estimator, told the task.

    Estimators of mtlreg, and searches over them, take the data as they are; any other gets the rows of all tasks with
    an indicator column for each task.
    """
    if _knows_tasks(estimator):
        return clone(estimator)
    return TaskDummies(estimator, settings.task_feature)


def _knows_tasks(estimator):
    inner = estimator
    while isinstance(inner, BaseEstimator):
        if hasattr(inner, "task_feature"):
            return True
        steps = getattr(inner, "steps", None)
        inner = steps[-1][1] if steps else getattr(inner, "estimator", getattr(inner, "regressor", None))
    return False
