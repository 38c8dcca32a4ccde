"""A slow reference: the model written down a second time, from the data the user gives to the objective.

Plain NumPy evaluates the objective of a fitted estimator; cvxpy finds an optimum of its own. Nothing here
uses the package's losses, penalties, designs or encodings.
"""

import warnings
from dataclasses import dataclass, field

import cvxpy as cp
import numpy as np
from reference_penalties import convex_omega, into_domain, omega
from scipy import sparse
from scipy.special import logsumexp, xlogy

TIGHT = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12, "tol_ktratio": 1e-10, "max_iter": 300}
CLOSE = {"eps": 1e-10, "max_iters": 500_000}


# -- losses: numbers, then expressions
# ---------------------------------------------------------------------------


def huber(r, threshold):
    return np.where(np.abs(r) <= threshold, r**2 / 2, threshold * (np.abs(r) - threshold / 2))


PLAIN = {
    "squared": lambda y, eta, loss: (y - eta) ** 2 / 2,
    "huber": lambda y, eta, loss: huber(y - eta, threshold(loss)),
    "logistic": lambda y, eta, loss: np.logaddexp(0, eta) - y * eta,
    "squared_hinge": lambda y, eta, loss: np.maximum(0, 1 - (2 * y - 1) * eta) ** 2 / 2,
    "poisson": lambda y, eta, loss: np.exp(eta) - y * eta - y + xlogy(y, y),
    "softmax": lambda y, eta, loss: logsumexp(eta, axis=1) - eta[np.arange(len(y)), y.astype(int)],
}
CONVEX = {
    "squared": lambda y, eta, loss: cp.square(y - eta) / 2,
    "huber": lambda y, eta, loss: cp.huber(y - eta, threshold(loss)) / 2,
    "logistic": lambda y, eta, loss: cp.logistic(eta) - cp.multiply(y, eta),
    "squared_hinge": lambda y, eta, loss: cp.square(cp.pos(1 - cp.multiply(2 * y - 1, eta))) / 2,
    "poisson": lambda y, eta, loss: cp.exp(eta) - cp.multiply(y, eta) - y + xlogy(y, y),
    "softmax": lambda y, eta, loss: (
        cp.log_sum_exp(eta, axis=1) - cp.sum(cp.multiply(np.eye(eta.shape[1])[y.astype(int)], eta), axis=1)
    ),
}


def loss_name(loss):
    return loss if isinstance(loss, str) else loss.name


def threshold(loss):
    return 1.35 if loss == "huber" else loss.threshold


# -- calibrated tasks
# -----------------------------------------------------------------------------------------------------


def sigma_min(loss):
    return 0.01 if loss == "calibrated" else loss.sigma_min


def root(task, residual):
    """Of the weighted sum of squares of a task."""
    return np.sqrt(task.factor * np.sum(task.w * residual**2))


def floors(tasks, fit_intercept, unpenalised):
    """The least sigma of each task: a share of its root with nothing but unpenalised columns."""
    roots = []
    for t in tasks:
        U = np.hstack([np.ones((len(t.y), int(fit_intercept))), t.X[:, unpenalised]]) * np.sqrt(t.w)[:, None]
        y = np.sqrt(t.w) * (t.y - fit_intercept * np.average(t.y, weights=t.w))
        left = y - U @ np.linalg.lstsq(U, y, rcond=None)[0]
        roots.append(np.sqrt(t.factor) * np.linalg.norm(left) * (np.linalg.norm(left) > 1e-12 * np.linalg.norm(t.y)))
    others = np.mean([r for r in roots if r > 0])
    return [sigma_min(t.loss) * (r if r > 0 else others) for t, r in zip(tasks, roots, strict=True)]


def smoothed(rho, floor):
    """The root, or below the floor a parabola that meets it there."""
    return rho if rho >= floor else (rho**2 / floor + floor) / 2


def convex_smoothed(task, residual, floor):
    """The same as an expression, with sigma for a variable, and its constraint."""
    sigma = cp.Variable()
    scaled = cp.multiply(np.sqrt(task.factor * task.w), residual)
    return (cp.quad_over_lin(scaled, sigma) + sigma) / 2, [sigma >= floor]


# -- the model
# -----------------------------------------------------------------------------------------------------


@dataclass
class Task:
    name: object
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray
    loss: object
    classes: np.ndarray | None = None
    columns: list = field(default_factory=list)
    factor: float = 1.0
    floor: float = 0.0  # of sigma, for calibrated tasks

    def eta(self, coef, intercept):
        """Predictors: (n,), or (n, K) for a softmax task. ``coef`` is (n_columns, p)."""
        which = self.columns if len(self.columns) > 1 else self.columns[0]
        if isinstance(coef, np.ndarray):
            return self.X @ coef[which].T + intercept[which]
        return self.X @ coef[which].T + (intercept[which][None, :] if len(self.columns) > 1 else intercept[which])


class Reference:
    """The objective an estimator with these parameters has on these data."""

    def __init__(self, model, X, y, sample_weight=None):
        self.penalty = model._make_penalty()
        self.fit_intercept = model.fit_intercept
        X, self.tasks = read_tasks(model, X, y, sample_weight)
        column = 0
        for task in self.tasks:
            width = len(task.classes) if loss_name(task.loss) == "softmax" else 1
            task.columns = list(range(column, column + width))
            column += width
        self.shape = (column, X.shape[1])
        set_factors(self.tasks, model.task_weight)
        self.f = np.ones(X.shape[1]) if model.feature_weights is None else np.asarray(model.feature_weights)
        self.std = self.stds(model.standardize)
        if loss_name(self.tasks[0].loss) == "calibrated":
            for t, floor in zip(self.tasks, floors(self.tasks, self.fit_intercept, self.f == 0), strict=True):
                t.floor = floor

    def stds(self, standardize):
        """Standard deviations (n_columns, p) that the penalty sees coefficients multiplied with."""
        if not standardize:
            return np.ones(self.shape)
        if standardize is True:
            X = np.concatenate([t.X for t in self.tasks])
            w = np.concatenate([t.w for t in self.tasks])
            return np.tile(weighted_std(X, w), (self.shape[0], 1))
        return np.concatenate([np.tile(weighted_std(t.X, t.w), (len(t.columns), 1)) for t in self.tasks])

    def value(self, parts, intercept):
        """The objective at coefficients (a list of parts (n_columns, p)) and intercepts, by NumPy."""
        coef = sum(parts)
        loss = sum(self.task_value(t, t.eta(coef, intercept)) for t in self.tasks)
        assert not coef[:, np.isinf(self.f)].any()
        f = np.where(np.isinf(self.f), 0, self.f)
        return loss + omega(self.penalty, [(part * self.std * f).T for part in parts])

    def task_value(self, t, eta):
        if loss_name(t.loss) == "calibrated":
            return smoothed(root(t, t.y - eta), t.floor)
        return t.factor * np.sum(t.w * PLAIN[loss_name(t.loss)](t.y, eta, t.loss))

    def of(self, fitted):
        """The objective of a fitted estimator."""
        parts = [np.atleast_2d(part).astype(float) for part in fitted.components_.values()]
        intercept = np.atleast_1d(fitted.intercept_).astype(float)
        assert self.fit_intercept or not intercept.any()
        np.testing.assert_allclose(sum(parts), np.atleast_2d(fitted.coef_), rtol=1e-6, atol=1e-12)
        return self.value(parts, intercept)

    def optimum(self):
        """The objective at cvxpy's solution, by NumPy: an upper bound of the true optimum, and close to it."""
        variables = [cp.Variable(self.shape) for _ in self.penalty.part_names or [""]]  # std f coef, penalised ones
        free = cp.Variable(self.shape)
        intercept = cp.Variable(self.shape[0]) if self.fit_intercept else np.zeros(self.shape[0])
        penalised = (self.f > 0) & np.isfinite(self.f)
        scale = np.where(penalised, 1 / (self.std * np.where(penalised, self.f, 1)), 0)
        coef = cp.multiply(sum(variables), scale) + cp.multiply(free, np.tile(self.f == 0, (self.shape[0], 1)))
        value, constraints = convex_omega(self.penalty, [V.T for V in variables])
        constraints += [free[:, j] == 0 for j in np.flatnonzero(self.f != 0)]
        for t in self.tasks:
            eta = t.eta(coef, intercept)
            if loss_name(t.loss) == "calibrated":
                term, some = convex_smoothed(t, t.y - eta, t.floor)
                value, constraints = value + term, constraints + some
            else:
                value += cp.sum(cp.multiply(t.factor * t.w, CONVEX[loss_name(t.loss)](t.y, eta, t.loss)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # accuracy is checked where the result is used
            problem = cp.Problem(cp.Minimize(value), constraints)
            # its last steps may make no progress: what others call accurate is an upper bound too
            for solver, settings in ((cp.CLARABEL, TIGHT), (cp.CLARABEL, {}), (cp.SCS, CLOSE)):
                try:
                    problem.solve(solver=solver, **settings)
                    break
                except cp.SolverError:
                    continue
        compound = self.penalty.penalty if type(self.penalty).__name__ == "Coupled" else self.penalty
        inner = [p for _, p in compound.parts] if self.penalty.part_names else [self.penalty]
        parts = [into_domain(p, V.value) * scale for p, V in zip(inner, variables, strict=True)]
        parts[0] = parts[0] + free.value * (self.f == 0)
        return self.value(parts, intercept.value if self.fit_intercept else intercept)


def weighted_std(X, w):
    mean = w @ X / w.sum()
    std = np.sqrt(w @ (X - mean) ** 2 / w.sum())
    return np.where(std > 1e-13 * np.abs(mean), std, 1)


def read_tasks(model, X, y, sample_weight):
    """Labelled rows of positive weight, task by task; the classes of each become codes."""
    if sparse.issparse(X):
        X = X.toarray()
    X, y = np.asarray(X), np.asarray(y)
    weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if model.task_feature is None:
        y = y.reshape(len(X), -1)
        weights = weights.reshape(len(X), -1) * np.ones(y.shape)
        names, rows = range(y.shape[1]), [np.arange(len(X))] * y.shape[1]
    else:
        column = X[:, model.task_feature]
        X = np.delete(X, model.task_feature, axis=1)
        names, codes = np.unique(column, return_inverse=True)
        rows = [np.flatnonzero(codes == t) for t in range(len(names))]
        y, weights = np.tile(y[:, None], len(names)), np.tile(weights[:, None], len(names))
    X = X.astype(float)
    tasks = []
    for t, name in enumerate(names):
        used = [i for i in rows[t] if y[i, t] == y[i, t] and weights[i, t] > 0]
        loss = model.loss
        loss = loss[name] if isinstance(loss, dict) else loss[t] if isinstance(loss, list) else loss
        task = Task(name, X[used], y[used, t], weights[used, t], loss)
        if hasattr(model, "class_weight"):
            task.classes = np.unique(task.y)
            task.y = np.searchsorted(task.classes, task.y)
            task.w = task.w * np.array([(model.class_weight or {}).get(c, 1) for c in task.classes])[task.y]
            task.loss = "softmax" if len(task.classes) > 2 else loss
        task.y = task.y.astype(float)
        tasks.append(task)
    return X, tasks


def set_factors(tasks, task_weight):
    """c_t: 1 / (mean label weight of a task), or 1 / (label weight of the task), or a multiple of the first."""
    default = len(tasks) / sum(t.w.sum() for t in tasks)
    for i, t in enumerate(tasks):
        if task_weight is None:
            t.factor = default
        elif isinstance(task_weight, str):
            t.factor = 1 / t.w.sum()
        else:
            t.factor = default * task_weight[t.name if isinstance(task_weight, dict) else i]
