"""Tasks on a graph: fused differences against the lasso and row norms."""

import numpy as np

from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import QUICK, Budget, against, error, run_trials, search, summary, table_of_means
from mtlreg import L1, L21, GraphFused

__all__ = ["STUDY"]

N_GROUPS, SIZE, P, S = 4, 3, 40, 5
N_TASKS = N_GROUPS * SIZE
SPREAD = 0.1


def draw(n, seed):
    """Groups of tasks with nearly the same few coefficients; rows of its own for each task."""
    rng = np.random.default_rng([seed, n])
    W = np.zeros((N_TASKS, P))
    for g in range(N_GROUPS):
        tasks, features = np.arange(g * SIZE, (g + 1) * SIZE), rng.choice(P, S, replace=False)
        W[np.ix_(tasks, features)] = rng.standard_normal(S) + SPREAD * rng.standard_normal((SIZE, S))
    X = rng.standard_normal((N_TASKS, n, P))
    noise = np.sqrt(S) / 3
    y = np.einsum("tnp,tp->tn", X, W) + noise * rng.standard_normal((N_TASKS, n))
    return np.column_stack([X.reshape(-1, P), np.repeat(np.arange(N_TASKS), n)]), y.ravel(), W


def rings(order):
    """Each group of tasks joined in a ring, the tasks renamed by ``order``."""
    groups = np.asarray(order).reshape(N_GROUPS, SIZE)
    return [(int(g[i]), int(g[(i + 1) % SIZE]), 1.0) for g in groups for i in range(SIZE)]


RIGHT = rings(range(N_TASKS))
WRONG = rings([(i % N_GROUPS) * SIZE + i // N_GROUPS for i in range(N_TASKS)])  # joins tasks of different groups


def models(budget):
    """By name, for any number of rows."""
    ratios = {"penalty__fused_ratio": [0.3, 0.6]}
    return {
        "GraphFused": search(GraphFused(graph=RIGHT), budget, ratios),
        "wrong graph": search(GraphFused(graph=WRONG), budget, ratios),
        "lasso": search(L1(), budget),
        "L21": search(L21(), budget),
    }


def run(quick=False, n_jobs=None):
    """Errors for growing numbers of rows."""
    settings, n_seeds, budget = ((8,), 2, QUICK) if quick else ((6, 8, 12, 24), 16, Budget(16))
    found = run_trials(draw, lambda n: models(budget), {"error": error}, settings, n_seeds, n_jobs)["error"]
    pairs = [("GraphFused", "lasso"), ("GraphFused", "L21"), ("wrong graph", "lasso")]
    tables = [*table_of_means("rows a task", settings, found), "", *against("rows a task", settings, found, pairs)]
    return Outcome(
        tables, summary("Error", settings, found, pairs), lambda: error_panels("rows a task", settings, {"": found})
    )


STUDY = Study(
    "Tasks on a graph",
    """Where joined tasks have nearly the same coefficients, the graph-guided fused lasso estimates better than the
    lasso (Kim & Xing, 2009).""",
    f"""{N_GROUPS} groups of {SIZE} tasks, {P} features; each group uses {S} of them with N(0, 1) coefficients, from
    which its tasks differ by N(0, {SPREAD}^2); n rows of its own for each task, noise sqrt({S}) / 3, no
    intercepts; 16 draws. The graph is a ring for each group; the wrong graph joins tasks of different groups.
    Sixteen candidates for every model by five folds and pooled R2: sixteen strengths, or eight for each
    `fused_ratio` of 0.3 and 0.6.""",
    run,
)
