"""What training makes small: the tasks' mean losses, weighted, and what ties the weights down.

    n_tasks sum_t lambda_t mean_t(loss) + alpha / 2 sum |weights|^2 + sharing

with ``lambda`` summing to one; with every lambda_t the task's share of the labels it is the smooth part of the linear
models. Weights of hidden layers count times the labels' variance within the tasks, `Network.unit` squared, so that
all of it is in the labels' unit squared. Under uncertainty weighting the loss of task t counts ``exp(-s_t)``, and
``s_t / 2`` is added (Kendall, Gal & Cipolla, 2018, equation 7 with ``s = log sigma^2``).
"""

from __future__ import annotations

import numpy as np

from mtlreg.validation import to_host

__all__ = ["Objective"]

LOG_VARIANCE = "log_variance"


class Objective:
    """Value and gradients of the smooth part over a batch of rows.

    Parameters
    ----------
    network : Network
    losses : TaskLosses
        Acting on (B, n_labels) and (B, n_columns).
    first : ndarray (n_tasks + 1,)
        The label column at which each task's begin.
    factors : ndarray (n_tasks,)
        ``n_tasks lambda_t``.
    alpha : float
    distance : float
        Strength of ``sum |W_t - mean W|^2 / 2`` over the tasks' hidden layers.
    uncertainty : bool
        Whether the tasks' noise variances are variables.
    held : dict
        ``{name: Held}`` of the variables under a penalty.
    complete : bool
        Whether no label is missing.
    """

    def __init__(
        self, network, losses, first, factors, alpha, distance=0.0, uncertainty=False, held=None, complete=False
    ):
        self.held, self.complete = {} if held is None else held, complete
        self.network, self.losses = network, losses
        # what gradients are multiplied by, so that labels in large units make no longer steps; noise variances take
        # the unit out by themselves
        self.down = 1.0 if uncertainty else 1 / network.unit**2
        self.alpha, self.distance = alpha / self.down, distance / self.down
        self.factors, self.uncertainty = np.asarray(factors, dtype=np.float64), uncertainty
        self.task = np.repeat(np.arange(len(first) - 1), np.diff(first))  # of each label column

    def shapes(self):
        """``{name: shape}`` of all variables."""
        own = {LOG_VARIANCE: (self.network.n_tasks,)} if self.uncertainty else {}
        return self.network.shapes() | own

    def factor(self, variables):
        """What each task's mean loss is multiplied by: (n_tasks,) of NumPy."""
        if not self.uncertainty:
            return self.factors
        return self.factors * np.exp(-to_host(variables[LOG_VARIANCE]).astype(np.float64))

    def task_losses(self, variables, X, y, weights, task=None):
        """Sums of the weighted losses of each task, (n_tasks,) of NumPy."""
        eta, _ = self.network.forward(variables, X, task)
        return self._by_task(variables.xp, weights * self.losses.value(y, self._observed(variables.xp, eta, weights)))

    def row_losses(self, variables, X, y, weights, task=None):
        """Losses of every row and task, zero where there is no label: (B, n_tasks) of NumPy."""
        eta, _ = self.network.forward(variables, X, task)
        values = to_host(self.losses.value(y, self._observed(variables.xp, eta, weights))) * (to_host(weights) > 0)
        return np.stack([values[:, self.task == t].sum(axis=1) for t in range(self.network.n_tasks)], axis=1)

    def _observed(self, xp, eta, weights):
        """eta, zero where there is no label: what a net says there must not overflow."""
        if self.complete:
            return eta
        return xp.where(self.losses.expand(weights) > 0, eta, xp.zeros_like(eta[:1, :1]))

    def _by_task(self, xp, values):
        sums = to_host(xp.sum(values, axis=0, dtype=xp.float64))
        return np.bincount(self.task, sums, minlength=self.network.n_tasks)

    def gradients(self, variables, gradients, X, y, weights, task, grown, drawn, share=1.0, rng=None):
        """The tasks' sums of losses over a batch, (n_tasks,), with ``down`` times the objective's gradients written.

        Parameters
        ----------
        variables, gradients : Variables
        X, y, weights, task : arrays
            A batch.
        grown : ndarray (n_tasks,)
            What the sums are multiplied by to stand for all rows.
        drawn : ndarray (n_tasks,)
            How much each task counts in this step.
        share : float
            What all that is not a loss is multiplied by.
        rng : numpy.random.Generator or None
            For dropout.
        """
        xp, network = variables.xp, self.network
        eta, record = network.forward(variables, X, task, rng)
        eta = self._observed(xp, eta, weights)
        sums = self._by_task(xp, weights * self.losses.value(y, eta))
        factor, share = (self.down * drawn * grown * self.factor(variables))[self.task], self.down * share
        D = self.losses.expand(weights * xp.asarray(factor, dtype=variables.dtype)) * self.losses.gradient(y, eta)
        network.backward(variables, gradients, record, D)
        for name in gradients:
            if name.endswith(".weight") and self.alpha > 0:
                gradients[name] += share * self.alpha * variables[name]
        if self.distance > 0:
            for name in self._own(variables):
                W = variables[name]
                gradients[name] += share * self.distance * (W - xp.mean(W, axis=0, keepdims=True))
        for name, held in self.held.items():
            gradients[name] += share * held.slope(variables[name])
        if self.uncertainty:
            noise = np.exp(-to_host(variables[LOG_VARIANCE]).astype(np.float64))
            slope = drawn * self.factors * (0.5 - grown * noise * sums)
            gradients[LOG_VARIANCE] = xp.asarray(slope, dtype=variables.dtype)
        return sums

    def _own(self, variables):
        """Names of the hidden layers' weights where each task has its own."""
        return [name for name in variables if name.startswith("hidden") and name.endswith(".weight")]

    def value(self, variables, sums, smooth=False):
        """The objective (or only its smooth part), given the tasks' mean losses."""
        xp = variables.xp
        total = float(self.factor(variables) @ sums)
        if self.uncertainty:
            total += 0.5 * float(self.factors @ to_host(variables[LOG_VARIANCE]))
        for name in variables:
            if name.endswith(".weight"):
                total += 0.5 * self.alpha * float(xp.sum(variables[name] ** 2))
        if self.distance > 0:
            for name in self._own(variables):
                W = variables[name]
                total += 0.5 * self.distance * float(xp.sum((W - xp.mean(W, axis=0, keepdims=True)) ** 2))
        for name, held in self.held.items():
            W = variables[name]
            total += held.smooth(W) + (0.0 if smooth else held.value(W))
        return total
