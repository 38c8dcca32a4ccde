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
    BlockLog,
    BlockMCP,
    BlockPower,
    BlockSCAD,
    CappedL1,
    Chain,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    SparseGroup,
    Transposed,
)

try:
    __version__ = version("mtlreg")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "AppendTask",
    "BlockLog",
    "BlockMCP",
    "BlockPower",
    "BlockSCAD",
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "CappedL1",
    "Chain",
    "InfimalConvolution",
    "KeepTask",
    "L1",
    "L1Linf",
    "L1Lq",
    "L21",
    "LeaveOneTaskOut",
    "MultiTaskClassifier",
    "MultiTaskRegressor",
    "PathSearchCV",
    "SparseGroup",
    "StratifiedTaskKFold",
    "Transposed",
    "feature_importance",
    "melt",
    "stack_tasks",
    "unmelt",
]
