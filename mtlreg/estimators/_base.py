"""What all linear estimators share: one fit, one path, prediction for both doors."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mtlreg.data._tables import take_rows
from mtlreg.encoding import encode
from mtlreg.estimators._callbacks import FitCallbacks, with_callbacks
from mtlreg.estimators._parameters import check_parameters
from mtlreg.estimators._tasks import TaskModel
from mtlreg.path import RegularizationPath, alpha_grid, solve_path
from mtlreg.problem import Problem
from mtlreg.solvers import State, solve
from mtlreg.validation import like, read_features, to_device, to_host

__all__ = ["MultiTaskBase"]


class MultiTaskBase(TaskModel):
    """Base of the estimators whose model is a `Problem`."""

    # -- what subclasses say -----------------------------------------------------------------------------------

    def _make_penalty(self):
        """The penalty the parameters describe."""
        raise NotImplementedError

    def _read_targets(self, X, y, sample_weight):
        """``(Table, targets)`` of fit's arguments."""
        raise NotImplementedError

    def _learned(self, targets, table):
        """Fitted attributes beyond the common ones."""
        return {}

    # -- fitting -----------------------------------------------------------------------------------------------

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

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
        # All work is done on a copy, so that an error or an interrupt leaves this estimator as it was.
        work = copy.copy(self)
        encoding, table = work._encode(X, y, sample_weight)
        named = work._names(encoding, table)
        solution = solve(
            encoding.problem,
            work.solver,
            work._start(encoding),
            tol=work.tol,
            max_iter=work.max_iter,
            verbose=work.verbose,
            callback=callbacks.on_certificate(lambda state: named | work._values(encoding, table, state)),
        )
        self._learn(named | like(work._values(encoding, table, solution), X) | work._quality(solution))
        callbacks.end()
        return self

    def alpha_max(self, X, y, sample_weight=None):
        """The smallest ``alpha`` for which all penalised coefficients are zero.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        float
        """
        encoding, _ = copy.copy(self)._encode(X, y, sample_weight, alpha=1.0)
        return encoding.problem.alpha_max

    def path(self, X, y, alphas=100, *, eps=1e-3, sample_weight=None):
        """Fit for many strengths, from the largest to the smallest, each started from the one before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        alphas : int or array-like, default=100
            The strengths, or how many on a geometric grid from `alpha_max` to ``eps * alpha_max``.
        eps : float, default=1e-3

        Returns
        -------
        RegularizationPath
            With ``alphas``, ``coefs`` (n_alphas, n_columns, n_features), ``intercepts``, ``dual_gaps``, ``residuals``,
            ``objectives``, ``n_iters`` and ``converged``.
        """
        encoding, _ = copy.copy(self)._encode(X, y, sample_weight, alpha=1.0)
        grid = alpha_grid(encoding.problem, alphas, eps)
        return RegularizationPath.collect(encoding, grid, self._path_solutions(encoding, grid))

    def path_alphas(self, X, y, alphas=100, *, eps=1e-3, sample_weight=None):
        """The strengths that `path` would take, decreasing.

        Parameters
        ----------
        X, y, alphas, eps, sample_weight
            As in `path`.

        Returns
        -------
        ndarray of shape (n_alphas,)
        """
        encoding, _ = copy.copy(self)._encode(X, y, sample_weight, alpha=1.0)
        return alpha_grid(encoding.problem, alphas, eps)

    def path_models(self, X, y, alphas=100, *, eps=1e-3, sample_weight=None):
        """Yield a fitted estimator for each strength of the path, from the largest to the smallest.

        Parameters
        ----------
        X, y, alphas, eps, sample_weight
            As in `path`.

        Yields
        ------
        estimator
            Fitted as by `fit`, with this strength.
        """
        work = copy.copy(self)
        encoding, table = work._encode(X, y, sample_weight, alpha=1.0)
        grid = alpha_grid(encoding.problem, alphas, eps)
        for alpha, solution in zip(grid, work._path_solutions(encoding, grid), strict=True):
            yield work._at_strength(float(alpha), encoding, table, solution, X)

    def _at_strength(self, alpha, encoding, table, solution, X):
        """A copy fitted with another strength, given its solution."""
        model = copy.copy(self).with_strength(alpha)
        named = self._names(encoding, table)
        model._learn(named | like(self._values(encoding, table, solution), X) | self._quality(solution))
        return model

    def _path_solutions(self, encoding, grid):
        settings = {"tol": self.tol, "max_iter": self.max_iter, "verbose": self.verbose}
        return solve_path(encoding.problem, grid, self.solver, **settings)

    #: name of the parameter that is the one strength, as in `get_params`
    strength = "alpha"

    def with_strength(self, alpha):
        """Set the parameter named by ``strength``; returns the estimator."""
        return self.set_params(alpha=alpha)

    def _encode(self, X, y, sample_weight, alpha=None, there=None):
        """``(Encoding, Table)``; ``there`` is X where it computes, if it has been brought there before."""
        check_parameters(self)
        penalty = self._make_penalty()
        penalty.check()
        if alpha is not None:
            penalty = penalty.with_alpha(alpha)
        table, targets = self._read_targets(X, y, sample_weight)
        table.X = to_device(table.X, self.device) if there is None else there
        encoding = encode(
            table,
            targets,
            penalty,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            task_weight=self.task_weight,
            feature_weights=self.feature_weights,
            problem_type=self._problem_type(),
        )
        return encoding, table

    def _problem_type(self):
        """What makes the `Problem` from design, losses, labels, weights and penalty."""
        return Problem

    def _start(self, encoding):
        """Where to begin: the previous solution, if asked for and of the same shape."""
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        parts = [np.atleast_2d(to_host(part)) for part in self.components_.values()]
        p, n_columns = encoding.problem.design.shape_w
        same = len(parts) == max(1, len(encoding.problem.penalty.part_names))
        if not same or any(part.shape != (n_columns, p) for part in parts):
            return None
        return State(*encoding.encode(parts, np.atleast_1d(to_host(self.intercept_))))

    def _values(self, encoding, table, at):
        """Fitted attributes that hold the coefficients at a state or solution."""
        coef, intercept, parts = encoding.decode(at.x, at.Z)
        flat = table.single and self._flat_when_single
        shape = (lambda a: a[0]) if flat else (lambda a: a)
        names = encoding.problem.penalty.part_names or ("coef",)
        return {
            "coef_": shape(coef),
            "intercept_": float(intercept[0]) if flat else intercept,
            "components_": {name: shape(part) for name, part in zip(names, parts, strict=True)},
        }

    def _names(self, encoding, table):
        """Fitted attributes that say what the coefficients belong to."""
        return {
            "tasks_": table.tasks,
            "columns_": encoding.columns,
            "task_position_": table.task_position,
            "n_features_in_": self.n_features_in_,
            "_single": table.single,
            "_losses": [target.loss for target in encoding.targets],
            "_widths": [target.width for target in encoding.targets],
            **({"feature_names_in_": self.feature_names_in_} if hasattr(self, "feature_names_in_") else {}),
            **self._learned(encoding.targets, table),
        }

    @staticmethod
    def _quality(solution):
        """Fitted attributes that say how well the problem is solved."""
        history = np.array(solution.history, dtype=float).T
        convex = solution.gap == solution.gap
        return {
            "n_iter_": max(int(solution.n_iter), 1),
            "dual_gap_": float(solution.gap),
            **({} if convex else {"stationarity_": float(solution.residual)}),
            "objective_": float(solution.objective),
            "converged_": bool(solution.converged),
            "history_": dict(zip(("iteration", "seconds", "objective", "gap"), history, strict=True)),
        }

    #: whether coef_ and intercept_ lose the axis of tasks for a 1-D y
    _flat_when_single = False

    # -- prediction --------------------------------------------------------------------------------------------

    def _predictors(self, X):
        """Linear predictors and the position in ``tasks_`` of every row's task (None in the first door).

        Shared X: (n, n_columns). Task column: (n, widest task), the columns of the row's task first, NaN after them.
        """
        check_is_fitted(self)
        X, tasks, _ = read_features(self, X, reset=False)
        coef, intercept = np.atleast_2d(to_host(self.coef_)), np.atleast_1d(to_host(self.intercept_))
        if tasks is None:
            return to_host(X @ like(coef.T, X)) + intercept, None
        codes = self._task_codes(tasks)
        first = np.concatenate([[0], np.cumsum(self._widths)])
        eta = np.full((X.shape[0], max(self._widths)), np.nan, dtype=coef.dtype)
        for t in np.unique(codes):
            rows = np.flatnonzero(codes == t)
            if t < 0:
                block, offset = self._mean_task()
            else:
                block, offset = coef[first[t] : first[t + 1]], intercept[first[t] : first[t + 1]]
            eta[rows, : len(offset)] = to_host(take_rows(X, rows) @ like(block.T, X)) + offset
        return eta, codes

    def _mean_task(self):
        """Coefficients and intercepts for a task that was not seen."""
        if len(set(self._widths)) > 1 or len({loss.name for loss in self._losses}) > 1:
            raise ValueError("unseen_task='mean' needs the same loss and the same classes in all tasks.")
        width, source = self._widths[0], self.components_.get("shared", self.coef_)
        coef = np.atleast_2d(to_host(source))
        return (
            coef.reshape(-1, width, coef.shape[1]).mean(axis=0),
            np.atleast_1d(to_host(self.intercept_)).reshape(-1, width).mean(axis=0),
        )

    # -- reading the result --------------------------------------------------------------------------------------

    def coef_frame(self):
        """``coef_`` as a pandas DataFrame: a row for each of ``columns_``, a column for each feature."""
        check_is_fitted(self)
        import pandas as pd

        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = np.array([f"x{j}" for j in range(self.n_features_in_)], dtype=object)
        if self.task_position_ is not None:
            names = np.delete(names, self.task_position_)
        if all(c is None for _, c in self.columns_):
            index = pd.Index([task for task, _ in self.columns_], name="task")
        else:
            index = pd.MultiIndex.from_tuples(self.columns_, names=["task", "class"])
        return pd.DataFrame(np.atleast_2d(to_host(self.coef_)), index=index, columns=names)
