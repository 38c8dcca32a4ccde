"""Small nets with shared hidden layers: the neural baseline."""

from mtlreg.neural._estimators import SharedLayerClassifier, SharedLayerRegressor

__all__ = ["SharedLayerClassifier", "SharedLayerRegressor"]
