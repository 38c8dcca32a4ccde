"""Landmine, mfeat and Tox21: labels are classes."""

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.real.figures import Figure, average
from benchmarks.real.job import BASELINES, LINEAR, QUICK, DataSet, Job, all_but, few_rows, long_job, with_task
from benchmarks.real.models import argmax_models

__all__ = ["DATA"]

AUC = average("mean task AUC", "macro", decimals=4)


def _landmine(data, quick):
    X, y, task = data.landmine()
    nineteen = np.isin(task, [*range(10), *range(15, 24)])
    every = QUICK if quick else all_but("graph_fused", "calibrated")
    cases = [(29, n_rows, slice(None)) for n_rows in (40, 80, 160)] + [(19, 80, nineteen)]
    jobs = []
    for n_tasks, n_rows, rows in cases[:1] if quick else cases:
        splits = _with_mines(task[rows], y[rows], n_rows, 2 if quick else 5)
        title = f"{n_tasks} tasks, {n_rows} training rows a task"
        options = {"metric": "roc_auc", "few": True}
        families = every if n_tasks == 19 or quick else (*LINEAR, "net", "mlp")
        jobs.append(long_job(title, with_task(X, task)[rows], y[rows], splits, (AUC,), families, **options))
    return jobs


def _with_mines(task, y, n_each, n_splits):
    """Random splits with ``n_each`` training rows a task, mines as frequent as in it: one at least, two classes."""
    rng = np.random.default_rng(0)
    splits = []
    for _ in range(n_splits):
        parts = []
        for t in np.unique(task):
            mines, clutter = (np.flatnonzero((task == t) & (y == label)) for label in (1, 0))
            n_mines = max(1, round(n_each * len(mines) / (len(mines) + len(clutter))))
            parts += [rng.choice(mines, n_mines, replace=False), rng.choice(clutter, n_each - n_mines, replace=False)]
        train = np.sort(np.concatenate(parts))
        splits.append((train, np.setdiff1d(np.arange(len(y)), train)))
    return splits


def _mfeat(data, quick):
    X, digit = data.mfeat()
    error = Figure("argmax error, %", lambda result, job: 100 * (1 - result.overall["macro"]), sign=-1)
    if quick:
        models = argmax_models(("independent", "l21"), n_alphas=3)
    else:
        net = MLPClassifier(hidden_layer_sizes=(50,), alpha=1.0, max_iter=200, learning_rate_init=3e-3, random_state=0)
        every = all_but("pooled", "pooled_intercepts", "mlp", "tree", "graph_fused")
        models = argmax_models(every, n_alphas=6) | {"softmax net": make_pipeline(StandardScaler(), net)}
    few = models if quick else {name: models[name] for name in models if name in (*LINEAR, "softmax net")}
    options = {"families": (), "metric": "accuracy", "baselines": ("independent",), "few": True}
    jobs = []
    for n_rows in (10,) if quick else (10, 20, 40):
        splits = few_rows(digit, n_rows, 2 if quick else 5)
        options["extra"] = models if n_rows == 10 else few
        jobs.append(Job(f"{n_rows} training rows a class", X, digit, splits, (error,), **options))
    return jobs


def _tox21(data, quick):
    X, Y, _ = data.tox21()
    n_rows = 300 if quick else 500
    splits = few_rows(np.zeros(len(X)), n_rows, 1 if quick else 3)
    families = ("independent", "l21") if quick else (*BASELINES, "l21", "sparse_group")
    title = f"{n_rows} training rows"
    return [Job(title, X.astype(float), Y, splits, (AUC,), families, metric="roc_auc", few=True)]


DATA = {
    "landmine": DataSet(
        "Landmine",
        "Radar features of 14820 spots, 9 features, about 6 % mines, tasks: 29 fields (19: fields 0-9 and 15-23).",
        "Random training rows in equal number from every field, mines as frequent among them as in the field (one at "
        "least), all others for testing; five random draws.",
        _landmine,
        "19 tasks, 80 rows a task, ridge-type models: independent .740, pooled .727, mean-regularised .754.",
        "graph_fused (a general graph of up to 406 edges), families that need an order of the tasks; with 29 tasks "
        "families other than row norms; and 20 rows a task, of which one is a mine: no fold can test a strength.",
    ),
    "mfeat": DataSet(
        "Multiple Features digits",
        "2000 images of digits, 649 features (six views), tasks: ten digits, each against the rest, squared loss.",
        "Random training rows in equal number from every digit, all others for testing; five random draws. An image is "
        "given the digit whose task predicts most; features are standardised, every task has an intercept. The net is "
        "one softmax classifier of all digits, with one fixed strength.",
        _mfeat,
        "error in percent at 10 / 20 / 40 rows in a public replication of Jalali et al. (2010): dirty 9.37 / 5.50 / "
        "3.75, l1/linf 10.26 / 5.11 / 3.44, lasso 11.84 / 5.44 / 2.56; l1/l2 with an intercept 5.9 / 3.8 / 2.5.",
        "pooled and pooled_intercepts: every image has one 1 and nine 0s, so that slopes common to all tasks are zero "
        "and the argmax is a guess, 90 % wrong; tree and graph_fused (minutes a draw); with 20 and 40 rows "
        "families other than row norms. Tasks helped or hurt: the argmax has one score for all of them.",
    ),
    "tox21": DataSet(
        "Tox21",
        "8006 molecules, 1024 fingerprint bits, tasks: 12 assays, 17 % of the labels missing.",
        "Random training rows, all others for testing; three random draws.",
        _tox21,
        left_out="more rows (at 1000 the pooled models take a minute a draw, l21 and sparse_group 13 s), l1, l1linf, "
        "dirty and mlp, for their time.",
    ),
}
