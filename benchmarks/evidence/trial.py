"""Models with searched strengths on many draws of data with known coefficients: errors, intervals, tables."""

import warnings
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from benchmarks.evidence.stats import mean_text, paired_interval, verdict
from benchmarks.report import table
from mtlreg import L1, MultiTaskRegressor, PathSearchCV, StratifiedTaskKFold
from mtlreg.metrics import make_task_scorer

__all__ = ["QUICK", "Budget", "against", "error", "ridge", "run_trials", "search", "summary", "table_of_means"]


@dataclass(frozen=True)
class Budget:
    """What a search may try: candidates in all, and the least strength over the largest on a path."""

    candidates: int
    eps: float = 1e-3


QUICK = Budget(4, 0.1)


def _model(penalty):
    return MultiTaskRegressor(penalty, task_feature=-1, fit_intercept=False, tol=1e-4)


def _choice():
    """Five folds of every task's rows, pooled R2: tasks have few rows."""
    folds = StratifiedTaskKFold(5, task_feature=-1, classes=False)
    return {"cv": folds, "scoring": make_task_scorer("r2", task_feature=-1, average="pooled")}


def search(penalty, budget, grid=None):
    """A search of all candidates: strengths on the penalty's path, for each point of a grid."""
    n_points = len(next(iter(grid.values()))) if grid else 1
    alphas = budget.candidates // n_points
    return PathSearchCV(_model(penalty), alphas=alphas, eps=budget.eps, param_grid=grid, **_choice())


def ridge(budget):
    """Ridge with one strength for all tasks, which share nothing else; features have unit variance."""
    grid = {"penalty__alpha_ridge": np.geomspace(10.0, 1e-3, budget.candidates)}
    return GridSearchCV(_model(L1(0.0, alpha_ridge=1.0)), grid, **_choice())


def error(coef, truth):
    """Squared error of all coefficients over their squared size."""
    return ((coef - truth) ** 2).sum() / (truth**2).sum()


def run_trials(draw, models, measures, settings, n_seeds, n_jobs):
    """Measures of every model in every draw.

    Parameters
    ----------
    draw : callable
        ``draw(setting, seed) -> (X, y, truth)``.
    models : callable
        ``models(setting) -> dict of name -> estimator``.
    measures : dict of name -> callable(coef, truth)

    Returns
    -------
    dict of measure -> dict of model -> array (n_settings, n_seeds)
    """
    jobs = [delayed(_trial)(draw, models, measures, setting, seed) for setting in settings for seed in range(n_seeds)]
    found = Parallel(n_jobs=n_jobs)(jobs)
    shape = (len(settings), n_seeds)
    return {
        measure: {name: np.array([one[name][measure] for one in found]).reshape(shape) for name in found[0]}
        for measure in measures
    }


def _trial(draw, models, measures, setting, seed):
    X, y, truth = draw(setting, seed)
    found = {}
    for name, model in models(setting).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            coef = np.atleast_2d(model.fit(X, y).best_estimator_.coef_)
        found[name] = {measure: function(coef, truth) for measure, function in measures.items()}
    return found


def table_of_means(label, settings, by_name):
    """Mean and standard error, a row for each setting."""
    rows = [[s, *(mean_text(values[i]) for values in by_name.values())] for i, s in enumerate(settings)]
    return table([label, *by_name], rows)


def against(label, settings, by_name, pairs):
    """Paired differences ``name less rival`` of an error with their intervals and verdicts, a row for each setting."""
    rows = []
    for i, setting in enumerate(settings):
        cells = []
        for name, rival in pairs:
            mean, low, high = paired_interval(by_name[name][i], by_name[rival][i])
            cells.append(f"{mean:+.3f} [{low:+.3f}, {high:+.3f}] {verdict(low, high)}")
        rows.append([setting, *cells])
    return table([label, *(f"{name} less {rival}" for name, rival in pairs)], rows)


def summary(title, settings, by_name, pairs):
    """A sentence for each pair: where the interval of ``name less rival`` is on one side of 0."""
    lines = []
    for name, rival in pairs:
        where = {"better": [], "worse": []}
        for i, setting in enumerate(settings):
            _, low, high = paired_interval(by_name[name][i], by_name[rival][i])
            if high < 0 or low > 0:
                where["better" if high < 0 else "worse"].append(str(setting))
        parts = [f"{word} at {', '.join(at) or 'none'}" for word, at in where.items()]
        lines.append(
            f"{title}: {name} against {rival}: {'; '.join(parts)} of {', '.join(map(str, settings))}; else open."
        )
    return lines
