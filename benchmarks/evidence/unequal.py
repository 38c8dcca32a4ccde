"""A task of few rows beside tasks of many: joint and alternating training."""

import numpy as np

from benchmarks.evidence.nets import draws, fitted, unexplained
from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import against, summary, table_of_means

__all__ = ["STUDY"]

P, LATENT, HIDDEN, LARGE, N_LARGE, N_TEST, NOISE = 10, 4, 16, 3, 1000, 2000, 0.2
TRAININGS = {
    "joint": {},
    "joint, balanced": {"task_weight": "balanced"},
    "alternate": {"schedule": "alternate"},
    "proportional": {"schedule": "proportional"},
}


def trial(n_small, seed):
    """Errors of the small task and the mean of the large ones, by way of training."""
    rng = np.random.default_rng([seed, n_small])
    inner, outer = rng.standard_normal((P, LATENT)) / np.sqrt(P), rng.standard_normal((LATENT, LARGE + 1))
    sizes = [n_small] + [N_LARGE] * LARGE
    X, y, task = [], [], []
    for t, n in enumerate([*sizes, *([N_TEST] * (LARGE + 1))]):
        rows = rng.standard_normal((n, P))
        X.append(rows)
        y.append(np.tanh(2 * rows @ inner) @ outer[:, t % (LARGE + 1)])
        task.append(np.full(n, t % (LARGE + 1)))
    n = sum(sizes)
    X, y = np.column_stack([np.concatenate(X), np.concatenate(task)]), np.concatenate(y)
    labels, test = y[:n] + NOISE * rng.standard_normal(n), y[n:]

    def errors(net):
        predicted, tasks = net.predict(X[n:]), X[n:, -1]
        return [unexplained(test[tasks == t], predicted[tasks == t]) for t in range(LARGE + 1)]

    found = {}
    common = {"hidden_layer_sizes": (HIDDEN,), "task_feature": -1, "n_iter_no_change": 20, "batch_size": 50}
    for name, settings in TRAININGS.items():
        small, *large = errors(fitted(X[:n], labels, seed, **common, **settings))
        found |= {name: small, f"large, {name}": float(np.mean(large))}
    own = fitted(X[:n_small, :-1], labels[:n_small], seed, hidden_layer_sizes=(HIDDEN,))
    return found | {"alone": unexplained(test[:N_TEST], own.predict(X[n : n + N_TEST, :-1]))}


def run(quick=False, n_jobs=None):
    """Errors for growing numbers of rows of the small task."""
    settings, n_seeds = ((20,), 2) if quick else ((10, 20, 40, 80), 20)
    found = draws(trial, settings, n_seeds, n_jobs)
    large = {name.removeprefix("large, "): found.pop(name) for name in list(found) if name.startswith("large")}
    pairs = [("joint", "alone"), *((name, "joint") for name in TRAININGS if name != "joint")]
    label = "rows of the small task"
    tables = ["### The small task", "", *table_of_means(label, settings, found), ""]
    tables += [*against(label, settings, found, pairs), "", "### The large tasks", ""]
    tables += [*table_of_means(label, settings, large), "", *against(label, settings, large, pairs[1:])]
    findings = summary("Small task", settings, found, pairs) + summary("Large tasks", settings, large, pairs[1:])
    return Outcome(
        tables, findings, lambda: error_panels(label, settings, {"the small task": found, "the large tasks": large})
    )


STUDY = Study(
    "Nets: tasks of very different sizes",
    """A task of few rows gains from large ones that use the same hidden units. How much it counts depends on the
    training: drawn as often as the others it is learned sooner, in proportion to its labels later.""",
    f"""Tasks are random heads on the same {LATENT} hidden functions of {P} features; three have {N_LARGE} rows, one
    has few, noise {NOISE}. {HIDDEN} hidden units, batches of 50, early stopping on a fifth of each task's rows (by
    the tasks' losses weighted as in training); 20 draws. Error: squared error over the variance.""",
    run,
)
