"""Penalties written down a second time, for `reference`: as numbers by NumPy, as expressions by cvxpy."""

from itertools import pairwise

import cvxpy as cp
import numpy as np

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
    if hasattr(penalty, "order"):
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
    if kind in ("FusedSqrt", "SqrtL1Fused"):
        differences = [sum(abs(w[s] - w[t]) for s, t, _ in edges_of(penalty, len(w))) for w in W]
        sizes = np.abs(W).sum(axis=1)
        if kind == "SqrtL1Fused":
            return penalty.alpha * np.sqrt(sizes).sum() + penalty.alpha_fused * sum(differences)
        ratio = penalty.fused_ratio
        return penalty.alpha * np.sqrt(ratio * np.array(differences) + (1 - ratio) * sizes).sum()
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
