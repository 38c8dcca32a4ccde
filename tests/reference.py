"""A slow reference: the model written down a second time, from the data the user gives to the objective.

Plain NumPy evaluates the objective of a fitted estimator; cvxpy finds an optimum of its own. Nothing here
uses the package's losses, penalties, designs or encodings.
"""

import warnings
from dataclasses import dataclass, field
from itertools import pairwise

import cvxpy as cp
import numpy as np
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


# -- penalties
# -----------------------------------------------------------------------------------------------------

# of a row norm g, alpha taken out
CONCAVE = {
    "BlockMCP": lambda p, g: mcp(p.alpha, p.gamma, g),
    "BlockSCAD": lambda p, g: scad(p.alpha, p.gamma, g),
    "CappedL1": lambda p, g: min(g, p.theta),
    "BlockLog": lambda p, g: p.epsilon * (np.log(p.epsilon + g) - np.log(p.epsilon)),
    "BlockPower": lambda p, g: g**p.exponent,
}
CONCAVE_EXPONENTS = {"BlockMCP": 2, "BlockSCAD": 2, "CappedL1": 1, "BlockLog": 2}


def mcp(alpha, gamma, g):
    """Zhang (2010), eq. 2.1, over alpha."""
    return g - g**2 / (2 * gamma * alpha) if g <= gamma * alpha else gamma * alpha / 2


def scad(alpha, gamma, g):
    """Fan & Li (2001), eq. 2.7 integrated, over alpha."""
    if g <= alpha:
        return g
    if g >= gamma * alpha:
        return alpha * (gamma + 1) / 2
    return (2 * gamma * alpha * g - g**2 - alpha**2) / (2 * (gamma - 1) * alpha)


EXPONENTS = {"L1": 1, "L21": 2, "L1Linf": np.inf}


def strengths(penalty):
    """Entry weight, row weight and exponent of a row penalty."""
    ratio = {"L1": 1.0, "SparseGroup": getattr(penalty, "entry_ratio", 0.0)}.get(type(penalty).__name__, 0.0)
    q = EXPONENTS.get(type(penalty).__name__) or penalty.q
    return penalty.alpha * ratio, penalty.alpha * (1 - ratio), q


def differences(penalty, n_columns):
    """``(weight, {column: factor})`` of every squared combination of columns that a quadratic coupling adds up."""
    kind = type(penalty).__name__
    if kind == "MeanRegularized":
        mean = dict.fromkeys(range(n_columns), -1 / n_columns)
        return [(penalty.alpha, mean | {t: 1 - 1 / n_columns}) for t in range(n_columns)]
    if kind == "TemporalSmooth":
        order = penalty.order or range(n_columns)
        return [(penalty.alpha, {s: 1.0, t: -1.0}) for s, t in pairwise(order)]
    return [(penalty.alpha * abs(r), {s: 1.0, t: -np.sign(r)}) for s, t, r in penalty.graph]


def quadratic(penalty, W, squares):
    """Half the weighted squares of a coupling's combinations, and its ridge."""
    total = penalty.alpha_ridge / 2 * squares(W)
    for weight, factors in differences(penalty, W.shape[1]):
        total = total + weight / 2 * squares(sum(factor * W[:, t] for t, factor in factors.items()))
    return total


QUADRATIC = ("MeanRegularized", "Graph", "TemporalSmooth")


def scaled(penalty, factor):
    """A part with its alpha multiplied."""
    params = penalty.get_params(deep=False)
    return type(penalty)(**params | {"alpha": penalty.alpha * factor}) if "alpha" in params else penalty


def box_square(s, k, h):
    """``min_m sum_i s_i^2 / (h + m_i)``, 0 <= m <= 1, sum m <= k; the multiplier by bisection."""

    def weights(x):
        return np.clip(x * s - h, 0, 1)

    low, high = 0.0, 1.0
    while weights(high).sum() < min(k, np.sum(s > 1e-14 * s.max(initial=1e-300))):
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if weights(middle).sum() <= k else (low, middle)
    return np.sum(s**2 / (h + weights(low)))


def task_mean(n_tasks):
    """The matrix that takes every task to the mean of the tasks."""
    return np.full((n_tasks, n_tasks), 1 / n_tasks)


def box_parameters(penalty):
    """Factor, sum of the weights and h of the box norm in a cluster norm."""
    a, b = 1 / penalty.eps_within, 1 / penalty.eps_between
    return penalty.alpha / (b - a), penalty.n_clusters - 1, a / (b - a)


def spectral(penalty, W):
    """The part without the ridge of a penalty on singular values, by NumPy; None of another penalty."""
    kind, s = type(penalty).__name__, np.linalg.svd(W, compute_uv=False)
    if kind == "TraceBall":
        return 0.0 if s.sum() <= penalty.radius * (1 + 1e-12) else np.inf
    if kind == "TraceNorm":
        return penalty.alpha * s.sum()
    if kind == "SquaredTraceNorm":
        return penalty.alpha / 2 * s.sum() ** 2
    if kind == "SpectralBoxNorm":
        h = penalty.shape
        return penalty.alpha * h * (1 + h) * box_square(s, penalty.n_clusters, h)
    if kind == "ClusterNorm":
        mean = W @ task_mean(W.shape[1])
        factor, k, h = box_parameters(penalty)
        box = factor * box_square(np.linalg.svd(W - mean, compute_uv=False), k, h)
        return penalty.alpha * penalty.eps_mean * np.sum(mean**2) + box
    return None


def convex_spectral(penalty, W):
    """The same as an expression, and a list of constraints; None of another penalty."""
    kind, T = type(penalty).__name__, W.shape[1]
    if kind == "TraceBall":
        return 0.0, [cp.normNuc(W) <= penalty.radius]
    if kind == "TraceNorm":
        return penalty.alpha * cp.normNuc(W), []
    if kind == "SquaredTraceNorm":
        return penalty.alpha / 2 * cp.square(cp.normNuc(W)), []
    if kind not in ("SpectralBoxNorm", "ClusterNorm"):
        return None
    M = cp.Variable((T, T), PSD=True)
    if kind == "SpectralBoxNorm":
        k, h = penalty.n_clusters, penalty.shape
        value = penalty.alpha * h * (1 + h) * cp.matrix_frac(W.T, h * np.eye(T) + M)
    else:
        factor, k, h = box_parameters(penalty)
        mean = W @ task_mean(T)
        value = penalty.alpha * penalty.eps_mean * cp.sum_squares(mean)
        value += factor * cp.matrix_frac((W - mean).T, h * np.eye(T) + M)
    return value, [np.eye(T) - M >> 0, cp.trace(M) <= k]


def task_pairs(edges, n_tasks, n_columns):
    """Pairs of columns, of the same class, for (task, task, weight) with tasks 0, 1, ..., and their weights.

    The structure may be one of more tasks than there are.
    """
    width = max(1, n_columns // n_tasks)
    pairs = [(s * width + k, t * width + k, r) for s, t, r in edges for k in range(width)]
    return [(s, t, r) for s, t, r in pairs if max(s, t) < n_columns]


def edges_of(penalty, n_columns):
    """The pairs of columns whose differences a penalty of tasks 0, 1, ... pays for: (column, column, weight)."""
    if type(penalty).__name__ == "TotalVariation":
        order = penalty.order or range(n_columns)
        return task_pairs([(s, t, 1.0) for s, t in pairwise(order)], len(order), n_columns)
    n_tasks = 1 + max(max(s, t) for s, t, _ in penalty.graph)
    return task_pairs(penalty.graph, n_tasks, n_columns)


def groups_of(penalty, n_columns):
    """The groups of columns of a tree given as (tasks, weight) pairs, and their weights."""
    width = max(1, n_columns // (1 + max(max(tasks) for tasks, _ in penalty.tree)))
    groups = [([t * width + k for t in tasks for k in range(width)], weight) for tasks, weight in penalty.tree]
    return [([t for t in group if t < n_columns], weight) for group, weight in groups if min(group) < n_columns]


def omega_of_structure(penalty, W, absolute, total, norm):
    """Differences along an order or a graph, or norms of groups, in NumPy's or in cvxpy's functions."""
    kind = type(penalty).__name__
    if kind == "TreeGroups":
        return penalty.alpha * total(
            [w * norm(W[j, g]) for g, w in groups_of(penalty, W.shape[1]) for j in range(W.shape[0])]
        )
    ratio = 1.0 if kind == "TotalVariation" else penalty.fused_ratio
    pairs = edges_of(penalty, W.shape[1])
    fused = total([abs(r) * absolute(W[:, s] - np.sign(r) * W[:, t]) for s, t, r in pairs])
    return penalty.alpha * (ratio * fused + (1 - ratio) * absolute(W))


STRUCTURED = ("TotalVariation", "GraphFused", "TreeGroups")


def links(chain):
    """The penalties of a chain, whose entries may have names."""
    return [entry[1] if isinstance(entry, tuple) else entry for entry in chain.parts]


def omega(penalty, parts):
    """The penalty of a list of matrices (one, unless it is compound) by NumPy."""
    kind = type(penalty).__name__
    if kind == "InfimalConvolution":
        return sum(omega(scaled(p, penalty.alpha), [W]) for (_, p), W in zip(penalty.parts, parts, strict=True))
    if kind == "Coupled":
        coupling = quadratic(penalty.coupling, sum(parts), lambda a: np.sum(a**2))
        return omega(scaled(penalty.penalty, penalty.alpha), parts) + coupling
    (W,) = parts
    if kind in QUADRATIC:
        return quadratic(penalty, W, lambda a: np.sum(a**2)) + getattr(penalty, "alpha_l1", 0) * np.sum(np.abs(W))
    if kind == "Transposed":
        return omega(scaled(penalty.penalty, penalty.alpha), [W.T])
    if kind in CONCAVE:
        norms = [np.linalg.norm(w, CONCAVE_EXPONENTS.get(kind) or penalty.q) for w in W]
        return penalty.alpha * sum(CONCAVE[kind](penalty, g) for g in norms)
    ridge = getattr(penalty, "alpha_ridge", 0) / 2 * np.sum(W**2)
    if kind == "RowWeighted":
        return ridge + omega(scaled(penalty.penalty, penalty.alpha), [np.diag(penalty.weights) @ W])
    if kind == "Chain":
        return ridge + penalty.alpha * sum(omega(p, [W]) for p in links(penalty))
    if (value := spectral(penalty, W)) is not None:
        return ridge + value
    if getattr(penalty, "positive", False) and (W < 0).any():
        return np.inf
    if kind in STRUCTURED:
        return ridge + omega_of_structure(penalty, W, lambda a: np.abs(a).sum(), sum, np.linalg.norm)
    entry, row, q = strengths(penalty)
    return ridge + entry * np.sum(np.abs(W)) + row * sum(np.linalg.norm(w, q) for w in W)


def convex_omega(penalty, parts):
    """The same as an expression, and a list of constraints."""
    kind = type(penalty).__name__
    if kind == "InfimalConvolution":
        pairs = [convex_omega(scaled(p, penalty.alpha), [W]) for (_, p), W in zip(penalty.parts, parts, strict=True)]
        return sum(value for value, _ in pairs), [c for _, some in pairs for c in some]
    if kind == "Coupled":
        value, constraints = convex_omega(scaled(penalty.penalty, penalty.alpha), parts)
        return value + quadratic(penalty.coupling, sum(parts), cp.sum_squares), constraints
    (W,) = parts
    if kind in QUADRATIC:
        l1 = getattr(penalty, "alpha_l1", 0) * cp.sum(cp.abs(W))
        return quadratic(penalty, W, cp.sum_squares) + l1, []
    if kind == "Transposed":
        return convex_omega(scaled(penalty.penalty, penalty.alpha), [W.T])
    ridge = getattr(penalty, "alpha_ridge", 0) / 2 * cp.sum_squares(W)
    if kind == "RowWeighted":
        value, constraints = convex_omega(scaled(penalty.penalty, penalty.alpha), [np.diag(penalty.weights) @ W])
        return ridge + value, constraints
    if kind == "Chain":
        pairs = [convex_omega(p, [W]) for p in links(penalty)]
        return ridge + penalty.alpha * sum(v for v, _ in pairs), [c for _, some in pairs for c in some]
    if (both := convex_spectral(penalty, W)) is not None:
        return ridge + both[0], both[1]
    constraints = [W >= 0] if getattr(penalty, "positive", False) else []
    if kind in STRUCTURED:
        return ridge + omega_of_structure(penalty, W, lambda a: cp.sum(cp.abs(a)), sum, cp.norm), constraints
    entry, row, q = strengths(penalty)
    value = ridge + entry * cp.sum(cp.abs(W))
    if row:
        value += row * sum(cp.norm(W[j], q) for j in range(W.shape[0]))
    return value, constraints


def into_domain(penalty, W):
    """W with the solver's rounding removed, where the penalty is infinite there."""
    kind = type(penalty).__name__
    inner = penalty.penalty if kind in ("Transposed", "Coupled") else links(penalty)[0] if kind == "Chain" else penalty
    if kind == "TraceBall":
        return W * min(1, penalty.radius / max(np.linalg.norm(W, "nuc"), 1e-300))
    return np.maximum(W, 0) if getattr(inner, "constrained", False) else W


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
