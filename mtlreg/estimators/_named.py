"""The public linear estimators. A class here is its parameters, its penalty and its docstring."""

from __future__ import annotations

from sklearn.base import clone

from mtlreg.estimators._classifier import ClassifierBase
from mtlreg.estimators._parameters import parameters
from mtlreg.estimators._regressor import RegressorBase
from mtlreg.penalties import L21, Penalty, SparseGroup

__all__ = ["BlockSparseClassifier", "BlockSparseRegressor", "MultiTaskClassifier", "MultiTaskRegressor"]


class _BlockSparse:
    """Mixed l1/lq block sparsity."""

    def _make_penalty(self):
        return SparseGroup(
            alpha=self.alpha,
            entry_ratio=self.entry_ratio,
            q=self.q,
            alpha_ridge=self.alpha_ridge,
            positive=self.positive,
        )


class _AnyPenalty:
    """A penalty given as an object."""

    strength = "penalty__alpha"
    _default_alpha = 1.0

    def with_strength(self, alpha):
        """Give the penalty this strength; returns the estimator."""
        return self.set_params(penalty=self._make_penalty().with_alpha(alpha))

    def set_params(self, **params):
        """Set parameters by name; those of the penalty as ``penalty__alpha``, in a copy of it.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        inner = {name: params.pop(name) for name in list(params) if name.startswith("penalty__")}
        super().set_params(**params)
        if inner:
            # None becomes the penalty it stands for, and the caller's own penalty stays as it is
            penalty = self._make_penalty()
            self.penalty = penalty.set_params(**{name.removeprefix("penalty__"): inner[name] for name in inner})
        return self

    def _make_penalty(self):
        if self.penalty is None:
            return L21(self._default_alpha)
        if not isinstance(self.penalty, Penalty):
            raise TypeError(
                f"{type(self).__name__}(penalty={self.penalty!r}): give a Penalty, such as mtlreg.L21(0.1)."
            )
        return clone(self.penalty)


@parameters("regressor", alpha=1.0, q=2.0, entry_ratio=0.0, alpha_ridge=0.0, positive=False, loss="squared")
class BlockSparseRegressor(_BlockSparse, RegressorBase):
    """Multi-task regression with features shared by all tasks: mixed l1/lq block sparsity.

    Minimises over W (n_features, n_tasks) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss(y_i, x_i . W[:, t] + b_t)
            + alpha (entry_ratio sum_jt |W_jt| + (1 - entry_ratio) sum_j |W_j|_q) + (alpha_ridge / 2) |W|_F^2

    with ``c_t = n_tasks / (sum of all label weights)``: for complete shared data ``1 / (2 n_samples) |Y - XW|_F^2``,
    so that ``alpha`` is that of `sklearn.linear_model.MultiTaskLasso`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0. At 0 the model is unpenalised and solved directly.
    q : float, default=2.0
        Exponent of the norm of a feature's coefficients over the tasks, in [1, inf].
    entry_ratio : float, default=0.0
        Share of the entries' l1 norm, in [0, 1]: 1 is a lasso for each task.
    alpha_ridge : float, default=0.0
        Strength of a ridge part, >= 0; absolute.
    positive : bool, default=False
        Restrict coefficients to be >= 0.
    {loss}
    {common}

    {attributes}

    References
    ----------
    Obozinski, Taskar & Jordan (2010), Joint covariate selection and joint subspace selection, Stat. Comput. 20;
    Liu & Ye (2010), Efficient l1/lq norm regularization, arXiv:1009.4766;
    Simon, Friedman, Hastie & Tibshirani (2013), A sparse-group lasso, JCGS 22.

    Examples
    --------
    >>> import numpy as np
    >>> from mtlreg import BlockSparseRegressor
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> Y = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 5.0], [3.0, 7.0]])
    >>> model = BlockSparseRegressor(alpha=0.01).fit(X, Y)
    >>> model.coef_.shape
    (2, 2)
    """


@parameters("classifier", alpha=0.01, q=2.0, entry_ratio=0.0, alpha_ridge=0.0, positive=False, loss="logistic")
class BlockSparseClassifier(_BlockSparse, ClassifierBase):
    """Multi-task classification with features shared by all tasks: mixed l1/lq block sparsity.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss(y_i, x_i . W[:, t] + b_t)
            + alpha (entry_ratio sum_jt |W_jt| + (1 - entry_ratio) sum_j |W_j|_q) + (alpha_ridge / 2) |W|_F^2

    with ``c_t = n_tasks / (sum of all label weights)``. A task with two classes has one column, one with K > 2 classes
    K columns; a feature's norm runs over all columns of all tasks.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength, >= 0.
    q : float, default=2.0
        Exponent of the norm of a feature's coefficients over the columns, in [1, inf].
    entry_ratio : float, default=0.0
        Share of the entries' l1 norm, in [0, 1].
    alpha_ridge : float, default=0.0
        Strength of a ridge part, >= 0; absolute.
    positive : bool, default=False
        Restrict coefficients to be >= 0.
    {loss}
    {common}

    {attributes}

    References
    ----------
    Obozinski, Taskar & Jordan (2010), Joint covariate selection and joint subspace selection, Stat. Comput. 20.
    """


@parameters("regressor", penalty=None, loss="squared")
class MultiTaskRegressor(_AnyPenalty, RegressorBase):
    """Multi-task regression under any penalty, with any loss for each task.

    Minimises over W (n_features, n_tasks) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t) + penalty(W)

    Parameters
    ----------
    penalty : Penalty, default=None
        What the tasks share; None is ``L21()``. Its parameters are reached as ``penalty__alpha`` in a grid search and
        in `set_params`, which puts the default penalty in the place of None; those of a compound penalty's parts by
        their names, as ``penalty__shared__alpha``.
    loss : str, Loss, Calibrated, dict or list, default="squared"
        One loss for all tasks, or a dict by task label or list in the order of ``tasks_``. Regression, binary
        ("logistic", labels 0 and 1) and count tasks ("poisson") can be mixed; `predict` gives each task's conditional
        mean. "calibrated" or `mtlreg.losses.Calibrated` for the root of each task's sum of squares, of all tasks.
    {common}

    {attributes}
    """


@parameters("classifier", penalty=None, loss="logistic")
class MultiTaskClassifier(_AnyPenalty, ClassifierBase):
    """Multi-task classification under any penalty.

    Minimises over W (n_features, n_columns) and intercepts b ::

        sum_t c_t sum_{i in t} w_i loss_t(y_i, x_i . W[:, t] + b_t) + penalty(W)

    Parameters
    ----------
    penalty : Penalty, default=None
        What the tasks share; None is ``L21(0.01)``. Its parameters are reached as ``penalty__alpha`` in a grid search
        and in `set_params`, which puts the default penalty in the place of None; those of a compound penalty's parts by
        their names, as ``penalty__shared__alpha``.
    {loss}
    {common}

    {attributes}
    """

    # at W = 0 a task's logistic gradient is at most half the scale of the feature: alpha=1 would leave nothing
    _default_alpha = 0.01
