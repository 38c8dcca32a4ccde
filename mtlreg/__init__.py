"""mtlreg: regularised multi-task learning as scikit-learn estimators, solved to a certificate."""

from importlib.metadata import PackageNotFoundError, version

from mtlreg.data import AppendTask, KeepTask, feature_importance, melt, stack_tasks, unmelt
from mtlreg.estimators import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
)
from mtlreg.model_selection import LeaveOneTaskOut, PathSearchCV, StratifiedTaskKFold
from mtlreg.penalties import (
    L1,
    L21,
    Chain,
    ClusterNorm,
    Coupled,
    Graph,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    RowWeighted,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TemporalSmooth,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
)
from mtlreg.structure import task_graph, task_tree

try:
    __version__ = version("mtlreg")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "L1",
    "L1Linf",
    "L1Lq",
    "L21",
    "AppendTask",
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "Chain",
    "ClusterNorm",
    "Coupled",
    "Graph",
    "GraphFused",
    "InfimalConvolution",
    "KeepTask",
    "LeaveOneTaskOut",
    "MeanRegularized",
    "MultiTaskClassifier",
    "MultiTaskRegressor",
    "PathSearchCV",
    "RowWeighted",
    "SparseGroup",
    "SpectralBoxNorm",
    "SquaredTraceNorm",
    "StratifiedTaskKFold",
    "TemporalSmooth",
    "TotalVariation",
    "TraceBall",
    "TraceNorm",
    "Transposed",
    "TreeGroups",
    "feature_importance",
    "melt",
    "stack_tasks",
    "task_graph",
    "task_tree",
    "unmelt",
]
