"""The public nets. A class here is its parameters and its docstring."""

from __future__ import annotations

from mtlreg.estimators._classifier import ClassOutputs
from mtlreg.estimators._parameters import parameters
from mtlreg.estimators._regressor import NumberOutputs
from mtlreg.neural._base import SharedLayerBase
from mtlreg.neural._parameters import NET

__all__ = ["SharedLayerClassifier", "SharedLayerRegressor"]


class _SharedLayers:
    """A small net for multi-task {task}: hidden layers that all tasks share, and a head for each task.

    Training makes small ::

        n_tasks sum_t lambda_t sum_{i in t} w_i loss(y_i, f_t(x_i)) / sum_{i in t} w_i
            + (alpha / 2) sum |weights|^2 + head_penalty(V) + sharing

    by stochastic gradients. Without ``task_weight`` lambda_t is the task's share of the labels, so that without hidden
    layers this is the objective of the linear models. The net is not convex: there is no certificate, and what is found
    depends on ``random_state``.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of the hidden layers; ``()`` is a linear model.
    {loss}
    {common}

    {attributes}

    See Also
    --------
    MultiTaskRegressor, MultiTaskClassifier : Linear models.
    compare : Nets and linear models on the same folds.

    References
    ----------
    Caruana (1997), Multitask learning, Machine Learning 28.
    Kendall, Gal & Cipolla (2018), Multi-task learning using uncertainty to weigh losses, CVPR.
    Misra, Shrivastava, Gupta & Hebert (2016), Cross-stitch networks for multi-task learning, CVPR.
    Yang & Hospedales (2017), Trace norm regularised deep multi-task learning, ICLR workshop.
    Zhang, Luo, Loy & Tang (2014), Facial landmark detection by deep multi-task learning, ECCV.

    Examples
    --------
    >>> from mtlreg import SharedLayerRegressor
    >>> from mtlreg.datasets import make_block_sparse
    >>> X, Y, _ = make_block_sparse(n_samples=200, n_features=10, n_tasks=3, random_state=0)
    >>> model = SharedLayerRegressor((20,), max_iter=300, learning_rate="cosine", random_state=0).fit(X, Y)
    >>> model.predict(X).shape
    (200, 3)
    """


@parameters("regressor", NET, hidden_layer_sizes=(100,), loss="squared")
class SharedLayerRegressor(_SharedLayers, NumberOutputs, SharedLayerBase):
    pass


@parameters("classifier", NET, hidden_layer_sizes=(100,), loss="logistic")
class SharedLayerClassifier(_SharedLayers, ClassOutputs, SharedLayerBase):
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on these rows; the first call fixes tasks, classes and the scales of the features.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. Later calls may lack tasks and classes that the first one had.
        classes : array-like, or dict or list of such, default=None
            In the first call: classes that are not among its labels, of all tasks or of each.

        Returns
        -------
        self
        """
        return self._one_epoch(X, y, sample_weight, classes=classes)
