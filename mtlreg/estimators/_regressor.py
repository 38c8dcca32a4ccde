"""Regressors: numbers, counts and probabilities as labels, one loss for all tasks or one for each."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.base import RegressorMixin

from mtlreg.calibrated import CalibratedProblem
from mtlreg.encoding import number_targets
from mtlreg.estimators._base import MultiTaskBase
from mtlreg.estimators._tasks import as_given
from mtlreg.losses import Squared, as_calibrated
from mtlreg.validation import read_table, to_host

__all__ = ["NumberOutputs", "RegressorBase"]


class NumberOutputs(RegressorMixin):
    """Labels that are numbers: how they are read, predicted from ``_predictors`` and scored."""

    def _read_targets(self, X, y, sample_weight):
        table = read_table(self, X, y, sample_weight, numeric=True)
        losses = self._task_losses(table)
        for task, loss in zip(table.task_names, losses, strict=True):
            if loss.kind == "multiclass":
                raise ValueError(f"loss={loss.name!r} (task {task!r}) is for classifiers: a regressor predicts a mean.")
        return table, number_targets(table, losses)

    @as_given
    def predict(self, X):
        """Conditional mean: a number, a rate for "poisson", a probability for "logistic".

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
        """
        eta, codes = self._predictors(X)
        mean = self._inverse_link(eta, codes)
        return mean[:, 0] if codes is not None or self._single else mean

    def _inverse_link(self, eta, codes):
        if all(loss.kind == "regression" for loss in self._losses):  # the link is the identity
            return eta
        mean = np.array(eta)
        for t, loss in enumerate(self._losses):
            where = (slice(None), t) if codes is None else (codes == t, 0)
            mean[where] = loss.inverse_link(eta[where])
        if codes is not None and (codes < 0).any():
            mean[codes < 0, 0] = self._losses[0].inverse_link(eta[codes < 0, 0])
        return mean

    def score(self, X, y, sample_weight=None):
        """Macro average of R2 over the tasks where it is defined; missing labels are left out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        float
            ``mtlreg.metrics`` has the pooled and the weighted average too.
        """
        return self._macro_score("r2", X, y, sample_weight)


class RegressorBase(NumberOutputs, MultiTaskBase):
    """Base of the linear regressors."""

    _flat_when_single = True

    def _task_losses(self, table):
        calibrated = as_calibrated(self.loss)
        if calibrated is None:
            return super()._task_losses(table)
        calibrated.check()
        return [Squared()] * len(table.tasks)

    def _problem_type(self):
        calibrated = as_calibrated(self.loss)
        if calibrated is None:
            return super()._problem_type()
        return partial(CalibratedProblem, sigma_min=calibrated.sigma_min)

    def _values(self, encoding, table, at):
        values = super()._values(encoding, table, at)
        if as_calibrated(self.loss) is not None:
            noise = to_host(encoding.problem.noise_scale(encoding.problem.own(at.x), at.Z))
            values["noise_scale_"] = float(noise[0]) if table.single else noise
        return values
