"""Estimation error of block-sparse coefficients against the number of tasks (Lounici et al., 2009)."""

from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.stats import paired_interval, verdict
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import QUICK, Budget, against, error, run_trials, search, table_of_means
from mtlreg import L1, L21
from mtlreg.datasets import make_block_sparse

__all__ = ["STUDY"]

N_ROWS = 30
MOST = 64


def draw(n_tasks, seed):
    """The first tasks of the same many: another number of tasks changes nothing else."""
    data = make_block_sparse(N_ROWS, 100, MOST, 6, layout="stacked", intercept_scale=0.0, random_state=seed)
    rows = data.X[:, -1] < n_tasks
    return data.X[rows], data.y[rows], data.coef[:n_tasks]


def run(quick=False, n_jobs=None):
    """Errors for 1 to 64 tasks."""
    settings, n_seeds, budget = ((1, 4), 2, QUICK) if quick else ((1, 2, 4, 8, 16, 32, 64), 30, Budget(20))

    def models(n_tasks):
        return {"L21": search(L21(), budget), "lasso": search(L1(), budget)}

    found = run_trials(draw, models, {"error": error}, settings, n_seeds, n_jobs)["error"]
    tables = ["Relative squared error of the coefficients, mean ± standard error.", ""]
    tables += [*table_of_means("tasks", settings, found), "", "Paired differences of the error:", ""]
    tables += against("tasks", settings, found, [("L21", "lasso")])
    return Outcome(tables, _findings(settings, found), lambda: error_panels("tasks", settings, {"": found}))


def _findings(settings, found):
    lines = []
    for name, values in found.items():
        mean, low, high = paired_interval(values[-1], values[0])
        word = verdict(low, high)
        change = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}] from {settings[0]} to {settings[-1]} tasks"
        lines.append(f"The error of {name} falls with the number of tasks: {word} ({change}).")
        steps = [paired_interval(values[i + 1], values[i]) for i in range(len(settings) - 1)]
        falls = [f"{settings[i]} to {settings[i + 1]}" for i, step in enumerate(steps) if step[2] < 0]
        lines.append(f"{name}: doublings with an interval below 0: {', '.join(falls) or 'none'}.")
    wins = [n for i, n in enumerate(settings) if paired_interval(found["L21"][i], found["lasso"][i])[2] < 0]
    lines.append(f"L21 better than the lasso at {', '.join(map(str, wins)) or 'no number of'} tasks.")
    return lines


STUDY = Study(
    "Block sparsity and the number of tasks",
    """With the rows of each task fixed, the error per task of l1/l2 falls as tasks are added, that of the lasso
    does not (Lounici, Pontil, Tsybakov & van de Geer, 2009).""",
    f"""`make_block_sparse`: 100 features, six used by all tasks with N(0, 1) coefficients, {N_ROWS} rows of its own
    for each task, population R2 0.9, no intercepts. The first T of the same {MOST} tasks, so that numbers of
    tasks are compared on the same data; 30 draws. For both models one strength of 20, chosen by five folds and
    pooled R2.""",
    run,
)
