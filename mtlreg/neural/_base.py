"""The net as an estimator: from X and y to a training, and from the trained net to predictors of every task."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import check_is_fitted

from mtlreg.data import split_task_column
from mtlreg.estimators._callbacks import FitCallbacks, with_callbacks
from mtlreg.estimators._tasks import TaskModel
from mtlreg.neural import _starts as starts
from mtlreg.neural._affinity import error_affinity, gradient_affinity
from mtlreg.neural._head_penalty import head_penalty, sharing_penalty
from mtlreg.neural._network import Network
from mtlreg.neural._objective import LOG_VARIANCE, Objective
from mtlreg.neural._optimizers import make_optimizer
from mtlreg.neural._partial import known_targets
from mtlreg.neural._rows import Rows, scaled, task_losses
from mtlreg.neural._settings import (
    check_partial,
    check_settings,
    check_structure,
    head_layers,
    layer_sizes,
    structure,
    task_factors,
    task_rates,
    which_tasks,
)
from mtlreg.neural._split import held_out
from mtlreg.neural._training import CHUNK, Progress, Training
from mtlreg.neural._variables import Variables
from mtlreg.scaling import moments
from mtlreg.validation import is_sparse, namespace_of, read_features, to_device, to_host

__all__ = ["SharedLayerBase"]


class SharedLayerBase(TaskModel):
    """Base of the nets."""

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Train the net.

        An interrupt (Ctrl-C) goes on to the caller, with the estimator fitted to the best state of whole epochs.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            With the task column, if ``task_feature`` is given.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Labels; NaN, None or pd.NA where one is missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            Weights >= 0; zero is the same as a missing label.

        Returns
        -------
        self
        """
        callbacks = FitCallbacks(self, X, y)
        work = copy.copy(self)
        check_settings(work)
        table, targets = work._read_targets(X, y, sample_weight)
        table.X = to_device(table.X, work.device)
        model = work._model(table, targets)
        training = work._begin(model, table, targets)
        tell = callbacks.on_certificate(lambda training: model | work._values(training), task_name="epoch")
        try:
            finished = training.run(work.max_iter, tell)
        except KeyboardInterrupt:
            if training.progress.best is not None:
                self._learn(model | work._values(training))
            raise
        if not finished and work.learning_rate != "cosine":
            warnings.warn(
                f"{type(self).__name__} was still improving after max_iter={work.max_iter} epochs.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self._learn(model | work._values(training))
        callbacks.end()
        return self

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on these rows; the first call fixes the tasks and the scales of the features.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. Later calls may lack tasks that the first one had.

        Returns
        -------
        self
        """
        return self._one_epoch(X, y, sample_weight)

    def _one_epoch(self, X, y, sample_weight, **known):
        check_settings(self)
        check_partial(self)
        work = copy.copy(self)
        if hasattr(self, "_variables"):
            model, table, targets = work._known(X, y, sample_weight)
            training = work._go_on(model, table, targets)
        else:
            table, targets = work._read_targets(X, y, sample_weight, **known)
            table.X = to_device(table.X, work.device)
            model = work._model(table, targets)
            training = work._begin(model, table, targets)
        training.run(1)
        self._learn(model | work._values(training))
        return self

    def task_affinity(self, X, y, sample_weight=None, kind="gradient"):
        """How alike the tasks are to the trained net, for grouping them.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        kind : {"gradient", "error"}, default="gradient"
            Cosines of the gradients of every two tasks' losses by the shared hidden layers (Yu et al., 2020): negative
            where tasks pull apart. Or of their losses on the rows in which both have labels, less each one's mean (Lu
            et al., 2017): whether the same rows are hard; NaN where there are no such rows.

        Returns
        -------
        ndarray of shape (n_tasks, n_tasks)
            In the order of the sorted tasks, auxiliary ones included.
        """
        check_is_fitted(self)
        if kind not in ("gradient", "error"):
            raise ValueError(f"kind={kind!r}: give 'gradient' or 'error'.")
        if kind == "gradient" and (self._network.own or not self._network.hidden):
            raise ValueError("kind='gradient' needs hidden layers that all tasks share: sharing='hard'.")
        training = self._go_on(*self._known(X, y, sample_weight))
        return gradient_affinity(training) if kind == "gradient" else error_affinity(training)

    def _known(self, X, y, sample_weight):
        """``(fitted attributes that stay, table, targets)`` of new rows for the tasks that are known."""
        work = copy.copy(self)
        read_features(work, X, reset=False)
        table, targets = known_targets(work, X, y, sample_weight, self._targets)
        table.X = to_device(table.X, work.device)
        return {name: value for name, value in vars(self).items() if name in self._fixed}, table, targets

    # -- from data to a training -----------------------------------------------------------------------------------

    def _model(self, table, targets):
        """Fitted attributes that stay as they are through training."""
        auxiliary = which_tasks(self, table.tasks)
        for target in targets:
            if target.loss.name == "poisson" and not (target.weights * target.labels).any():
                raise ValueError(f"Task {target.task!r} has no minimum: its counts are all zero. Drop the task.")
        main = [target for target, aside in zip(targets, auxiliary, strict=True) if not aside or table.stacked]
        sizes = layer_sizes(self, "hidden_layer_sizes")
        network = Network(
            table.X.shape[1],
            sizes,
            layer_sizes(self, "head_sizes"),
            [target.width for target in targets],
            head_layers(self, table.tasks, len(sizes)),
            self.activation,
            self.sharing,
            self.dropout,
            starts.unit(targets),
        )
        shift, scale = self._scaling(table)
        columns = np.repeat(~auxiliary | table.stacked, [target.width for target in targets])
        model = {
            "tasks_": table.tasks if table.stacked else table.tasks[~auxiliary],
            "auxiliary_tasks_": table.tasks[auxiliary],
            "task_position_": table.task_position,
            "n_features_in_": self.n_features_in_,
            **({"feature_names_in_": self.feature_names_in_} if hasattr(self, "feature_names_in_") else {}),
            **self._learned(main, table),
            "n_outputs_": int(columns.sum()),
            "_single": table.single,
            "_losses": [target.loss for target in main],
            "_widths": [target.width for target in main],
            "_columns": np.flatnonzero(columns),
            "_main": ~auxiliary,
            "_keys": [(target.task, c) for target in targets for c in target.column_classes],
            "_structure": structure(self),
            "_network": network,
            "_shift": shift,
            "_scale": scale,
            "_targets": [_without_labels(target) for target in targets],
        }
        return model | {"_fixed": (*model, "_fixed")}

    def _learned(self, targets, table):
        """Fitted attributes beyond the common ones."""
        return {}

    def _scaling(self, table):
        """Mean and inverse standard deviation of the features, weighted as in the linear models; or None."""
        if not self.standardize:
            return None, None
        mean, std = moments(table.X, table.weights if table.stacked else table.weights.sum(axis=1))
        return mean, 1 / std

    def _begin(self, model, table, targets):
        """A training from the start."""
        rng = np.random.default_rng(self._seed())
        rows, objective = self._problem(model, table, targets)
        variables = Variables.zeros(objective.shapes(), rows.xp, table.X.dtype)
        objective.network.initialise(variables, starts.offsets(targets), rng)
        if objective.uncertainty:
            variables[LOG_VARIANCE] = rows.xp.asarray(starts.log_variances(targets), dtype=table.X.dtype)
        if self.warm_start and hasattr(self, "_variables"):
            self._warm(model, variables)
        optimizer = make_optimizer(self.solver, variables, objective.held, self.momentum)
        train, out, main = rows.rows, np.zeros(0, dtype=int), model["_main"]
        if self.early_stopping:
            everyone = self.early_stopping == "per_task"
            train, out = held_out(rows, table.tasks, self.validation_fraction, rng, main=main, all_tasks=everyone)
        progress = Progress(len(targets), rates=task_rates(self, table.tasks))
        return Training(self, objective, variables, optimizer, rows, train, out, rng, progress, main)

    def _warm(self, model, variables):
        """Begin with the variables of the fit before: heads only if they are of the same tasks and classes."""
        alike, own = model["_keys"] == self._keys, model["_network"].own
        for name in variables:
            shared = name.startswith("hidden") and not own
            if self._variables.shapes.get(name) == variables.shapes[name] and (alike or shared):
                before = self._network.unit_of(name) / model["_network"].unit_of(name) * to_host(self._variables[name])
                variables[name] = variables.xp.asarray(before, dtype=variables.dtype)

    def _go_on(self, model, table, targets):
        """A training from where the last one ended."""
        check_structure(self, self._structure)
        rows, objective = self._problem(model, table, targets)
        optimizer, rng, progress = copy.deepcopy(self._session)
        progress.rates = task_rates(self, np.array([target.task for target in targets]))
        variables = _moved(self._variables, rows.xp)
        optimizer.move(rows.xp)
        none, main = np.zeros(0, dtype=int), model["_main"]
        return Training(self, objective, variables, optimizer, rows, rows.rows, none, rng, progress, main)

    def _problem(self, model, table, targets):
        """The rows and what is to be made small on them."""
        network, tasks = model["_network"], np.array([target.task for target in targets])
        xp = namespace_of(table.X)
        rows = Rows(table, targets, xp, model["_shift"], model["_scale"])
        columns = [(target.task, c) for target in targets for c in target.column_classes]
        objective = Objective(
            network,
            task_losses(targets),
            rows.first,
            task_factors(self, tasks, rows.totals),
            self.alpha,
            self.alpha_sharing if self.sharing == "l2" else 0.0,
            isinstance(self.task_weight, str) and self.task_weight == "uncertainty",
            sharing_penalty(self, network) | head_penalty(self, network, columns, table.stacked),
            rows.complete,
        )
        return rows, objective

    def _seed(self):
        return check_random_state(self.random_state).randint(2**31)

    def _values(self, training):
        """Fitted attributes that training changes."""
        progress, variables = training.progress, training.variables.copy()
        values = {name: to_host(variables[name]) for name in variables}
        found = {
            "n_iter_": len(progress.losses),
            "loss_": progress.objectives[-1],
            "loss_curve_": np.array(progress.losses),
            "objective_curve_": np.array(progress.objectives),
            "validation_curve_": np.array(progress.validation) if progress.validation else None,
            "best_loss_": progress.least,
            "task_rates_": progress.rates.copy(),
            "task_weights_": _shares(training.objective.factor(training.variables)),
            "_variables": variables,
            "_session": (training.optimizer, training.rng, progress.without_best()),
        }
        if LOG_VARIANCE in values:
            found["noise_scale_"] = np.exp(0.5 * values[LOG_VARIANCE])
        if self.sharing == "cross_stitch":
            found["sharing_matrix_"] = [values[f"stitch{layer}"] for layer in training.objective.network.hidden]
        return found

    @property
    def weights_(self):
        """Copies of all weights by name, as numbers of the features' scale that training saw."""
        if not hasattr(self, "_variables"):
            raise AttributeError(f"{type(self).__name__} is not fitted: it has no weights_ yet.")
        names = [name for name in self._variables if name != LOG_VARIANCE]
        return {name: self._network.unit_of(name) * to_host(self._variables[name]) for name in names}

    # -- prediction ------------------------------------------------------------------------------------------------

    def _predictors(self, X):
        """Outputs and the position in ``tasks_`` of every row's task (None in the first door).

        Shared X: (n, columns of the tasks that are predicted). Task column: (n, widest task), the columns of the row's
        task first, NaN after them.
        """
        check_is_fitted(self)
        X, tasks, _ = read_features(self, X, reset=False)
        X = X.tocsr() if is_sparse(X) else X
        xp = namespace_of(X)
        variables = self._variables if xp is self._variables.xp else _moved(self._variables, xp)
        shift, scale = (None if a is None else xp.asarray(a, dtype=X.dtype) for a in (self._shift, self._scale))
        codes = None if tasks is None else self._task_codes(tasks)
        parts = []
        for start in range(0, X.shape[0], CHUNK):
            rows = np.arange(start, min(start + CHUNK, X.shape[0]))
            known = None if codes is None or (codes[rows] < 0).any() else codes[rows]  # an unseen task asks all of them
            eta, _ = self._network.forward(variables, scaled(xp, X, rows, shift, scale), known)
            eta = to_host(eta)
            parts.append(eta[:, self._columns] if codes is None else self._own(eta, codes[rows]))
        return (parts[0] if len(parts) == 1 else np.concatenate(parts)), codes

    def _own(self, eta, codes):
        """The columns of each row's task."""
        first = np.concatenate([[0], np.cumsum(self._widths)])
        out = np.full((len(eta), max(self._widths)), np.nan, dtype=eta.dtype)
        for t in np.unique(codes):
            rows = np.flatnonzero(codes == t)
            if t < 0:
                if len(set(self._widths)) > 1 or len({loss.name for loss in self._losses}) > 1:
                    raise ValueError("unseen_task='mean' needs the same loss and the same classes in all tasks.")
                out[rows] = eta[rows].reshape(len(rows), -1, self._widths[0])[:, self._main].mean(axis=1)
            else:
                out[rows, : self._widths[t]] = eta[rows, first[t] : first[t + 1]]
        return out

    def scored_part(self, X, y, sample_weight=None):
        """``(X, y, sample_weight)`` without the auxiliary tasks, for scores.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`, with the labels of all tasks or of those that are predicted.

        Returns
        -------
        tuple
        """
        if self._main.all():
            return X, y, sample_weight
        if self.task_feature is not None:
            tasks = split_task_column(X, self.task_feature)[1]
            rows = np.flatnonzero(~np.isin(tasks, self.auxiliary_tasks_))
            return tuple(None if a is None else _safe_indexing(a, rows) for a in (X, y, sample_weight))
        return X, self._main_columns(y), self._main_columns(sample_weight)

    def _main_columns(self, a):
        """The columns of the tasks that are predicted, by name where they have names."""
        if a is None or np.ndim(a) < 2:
            return a
        names = list(a.columns) if hasattr(a, "columns") else None
        if names is not None and set(self.tasks_.tolist()) <= set(names):
            return a[self.tasks_.tolist()]
        n_columns = np.shape(a)[1]
        if n_columns not in (len(self._main), len(self.tasks_)):
            raise ValueError(
                f"y has {n_columns} columns: give those of all {len(self._main)} tasks, or of the {len(self.tasks_)} "
                "that are predicted."
            )
        return to_host(a)[:, self._main] if n_columns == len(self._main) else a

    def _macro_score(self, metric, X, y, sample_weight):
        """As of all models, over the tasks that are not auxiliary."""
        return super()._macro_score(metric, *self.scored_part(X, y, sample_weight))


def _shares(factors):
    return factors / factors.sum()


def _moved(variables, xp):
    if xp is variables.xp:
        return variables.copy()
    return Variables(variables.shapes, xp.asarray(to_host(variables.flat)))


def _without_labels(target):
    """What a fitted net remembers of a task."""
    return replace(target, labels=target.labels[:0].copy(), weights=target.weights[:0].copy())
