"""Tasks that have nothing in common, in a net too small for all: does soft sharing recover what hard sharing loses?"""

import numpy as np

from benchmarks.evidence.nets import draws, fitted, unexplained
from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import against, summary, table_of_means

__all__ = ["STUDY"]

HIDDEN, OWN, N, N_TEST, NOISE = 4, 3, 1000, 2000, 0.1
SOFT = {
    "l2": {"sharing": "l2", "alpha_sharing": 1e-3},
    "trace": {"sharing": "trace", "alpha_sharing": 1e-3},
    "cross-stitch": {"sharing": "cross_stitch"},
}


def draw(n_tasks, rng):
    """Rows and labels of tasks that are functions of features of their own, and such for testing without noise."""
    directions = rng.standard_normal((n_tasks, OWN, 2))
    X = rng.standard_normal((N + N_TEST, n_tasks * OWN))
    Z = [X[:, t * OWN : (t + 1) * OWN] @ directions[t] for t in range(n_tasks)]
    Y = np.column_stack([np.sin(z[:, 0]) + np.tanh(z[:, 0] * z[:, 1]) for z in Z])
    return X[:N], Y[:N] + NOISE * rng.standard_normal((N, n_tasks)), X[N:], Y[N:]


def trial(n_tasks, seed):
    """Mean errors of the tasks: each alone, all with the same hidden layer, and softly shared."""
    X, Y, X_test, Y_test = draw(n_tasks, np.random.default_rng([seed, n_tasks]))

    def error(predicted):
        return float(np.mean([unexplained(Y_test[:, t], predicted[:, t]) for t in range(n_tasks)]))

    common = {"hidden_layer_sizes": (HIDDEN,)}
    alone = [fitted(X, Y[:, [t]], seed, **common).predict(X_test)[:, 0] for t in range(n_tasks)]
    found = {"alone": error(np.column_stack(alone)), "hard": error(fitted(X, Y, seed, **common).predict(X_test))}
    return found | {name: error(fitted(X, Y, seed, **common, **soft).predict(X_test)) for name, soft in SOFT.items()}


def run(quick=False, n_jobs=None):
    """Errors for growing numbers of tasks."""
    settings, n_seeds = ((4,), 2) if quick else ((2, 4, 8), 20)
    found = draws(trial, settings, n_seeds, n_jobs)
    pairs = [("alone", "hard"), *((name, "hard") for name in SOFT), *((name, "alone") for name in SOFT)]
    tables = [*table_of_means("tasks", settings, found), "", *against("tasks", settings, found, pairs)]
    return Outcome(
        tables, summary("Error", settings, found, pairs), lambda: error_panels("tasks", settings, {"": found})
    )


STUDY = Study(
    "Nets: tasks that have nothing in common",
    """A small hidden layer that unrelated tasks have to share makes them worse than alone (negative transfer);
    where each has its own layers, drawn together softly or mixed by cross-stitch units (Misra et al., 2016), the
    loss is recovered.""",
    f"""Every task is a function (a sine and a product under tanh) of {OWN} features of its own; all rows are
    labelled for all tasks. {N} rows, noise {NOISE}, {HIDDEN} hidden units, early stopping on a fifth of the rows;
    20 draws. Error: squared error over the variance, mean of the tasks. `alpha_sharing` is 1e-3, not searched.""",
    run,
)
