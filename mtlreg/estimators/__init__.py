"""The estimators."""

from mtlreg.estimators._named import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
)

__all__ = ["BlockSparseClassifier", "BlockSparseRegressor", "MultiTaskClassifier", "MultiTaskRegressor"]
