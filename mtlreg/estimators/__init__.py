"""The estimators."""

from mtlreg.estimators._low_rank import (
    ClusteredClassifier,
    ClusteredRegressor,
    RobustLowRankClassifier,
    RobustLowRankRegressor,
    TraceNormClassifier,
    TraceNormRegressor,
)
from mtlreg.estimators._named import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
)
from mtlreg.estimators._structured import (
    DirtyClassifier,
    DirtyRegressor,
    GraphClassifier,
    GraphRegressor,
    MeanRegularizedClassifier,
    MeanRegularizedRegressor,
    TemporalClassifier,
    TemporalRegressor,
)

__all__ = [
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "ClusteredClassifier",
    "ClusteredRegressor",
    "DirtyClassifier",
    "DirtyRegressor",
    "GraphClassifier",
    "GraphRegressor",
    "MeanRegularizedClassifier",
    "MeanRegularizedRegressor",
    "MultiTaskClassifier",
    "MultiTaskRegressor",
    "RobustLowRankClassifier",
    "RobustLowRankRegressor",
    "TemporalClassifier",
    "TemporalRegressor",
    "TraceNormClassifier",
    "TraceNormRegressor",
]
