"""Tasks in an order: chains of differences and smoothness beside row norms, against row norms alone."""

import numpy as np

from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import QUICK, Budget, against, error, run_trials, search, summary, table_of_means
from mtlreg import L21, Chain, Coupled, TemporalSmooth, TotalVariation
from mtlreg.datasets import make_temporal

__all__ = ["STUDY"]

N_TASKS = 12


def draw(n, seed):
    """Slowly changing coefficients; rows of its own for each task."""
    data = make_temporal(n, 40, N_TASKS, 5, step=0.15, layout="stacked", intercept_scale=0.0, random_state=seed)
    return data.X, data.y, data.coef


def draw_shuffled(n, seed):
    """The same with the tasks in another order than the models are told."""
    X, y, coef = draw(n, seed)
    order = np.random.default_rng(seed).permutation(N_TASKS)
    X = X.copy()
    X[:, -1] = order[X[:, -1].astype(int)]
    shuffled = np.empty_like(coef)
    shuffled[order] = coef
    return X, y, shuffled


def models(budget):
    """By name, for any number of rows."""
    chains = [[("tv", TotalVariation(tv)), ("rows", L21(1.0))] for tv in (0.3, 1.0)]
    couplings = [TemporalSmooth(strength) for strength in (0.1, 1.0)]
    return {
        "TV + L21": search(Chain(chains[0]), budget, {"penalty__parts": chains}),
        "smooth + L21": search(Coupled(L21(), couplings[0]), budget, {"penalty__coupling": couplings}),
        "L21": search(L21(), budget),
    }


def run(quick=False, n_jobs=None):
    """Errors for growing numbers of rows, in the right and in a wrong order."""
    settings, n_seeds, budget = ((8,), 2, QUICK) if quick else ((6, 8, 12, 24), 16, Budget(16))
    tables, findings, results = [], [], {}
    for title, source in {"right order": draw, "wrong order": draw_shuffled}.items():
        found = run_trials(source, lambda n: models(budget), {"error": error}, settings, n_seeds, n_jobs)["error"]
        pairs = [(name, "L21") for name in found if name != "L21"]
        tables += [f"### {title.capitalize()}", "", *table_of_means("rows a task", settings, found), ""]
        tables += [*against("rows a task", settings, found, pairs), ""]
        findings += summary(title, settings, found, pairs)
        results[title] = found
    return Outcome(tables, findings, lambda: error_panels("rows a task", settings, results))


STUDY = Study(
    "Tasks in an order",
    """Where coefficients change slowly from task to task, penalties on the differences of neighbours estimate
    better than the row norm alone (Zhou, Yuan, Liu & Ye, 2011; Zhou, Liu, Narayan & Ye, 2012); told a wrong
    order, they gain less.""",
    f"""`make_temporal`: {N_TASKS} tasks, 40 features of which five are used, N(0, 1) at the first task and steps of
    N(0, 0.15^2), n rows of its own for each task, population R2 0.9, no intercepts; 16 draws. Sixteen candidates
    for every model by five folds and pooled R2: sixteen strengths, or eight for each of two weights of the
    differences (TotalVariation 0.3 and 1 times the row norm; TemporalSmooth 0.1 and 1). A wrong order is a
    random one.""",
    run,
)
