"""Masked labels on Tox21: one net for all assays against a net for each."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

from benchmarks.evidence.nets import draws
from benchmarks.evidence.plot import error_panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import against, summary, table_of_means
from benchmarks.real.job import load_data
from mtlreg import SharedLayerClassifier

__all__ = ["STUDY"]

HIDDEN, N_TEST = 50, 2000


def net(seed):
    """The net of both sides."""
    settings = {"learning_rate_init": 3e-3, "dropout": 0.3, "alpha": 1e-3, "early_stopping": True}
    return SharedLayerClassifier((HIDDEN,), max_iter=100, random_state=seed, single_class="constant", **settings)


def trial(share, seed):
    """One less the area under the curve, mean of the assays, with a share of the labels kept; and by assay."""
    X, Y = load_data().tox21()[:2]
    X, Y = np.asarray(X, dtype=np.float32), np.array(Y, dtype=float)
    rng = np.random.default_rng([seed, int(1000 * share)])
    order = rng.permutation(len(X))
    test, train = order[:N_TEST], order[N_TEST:]
    labels = np.where(rng.random(Y[train].shape) < share, Y[train], np.nan)
    rows = np.flatnonzero(~np.isnan(labels).all(axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=".*has only one class")
        joint = [p[:, -1] for p in net(seed).fit(X[train][rows], labels[rows]).predict_proba(X[test])]
        single = []
        for t in range(Y.shape[1]):
            seen = ~np.isnan(labels[:, t])
            single.append(net(seed).fit(X[train][seen], labels[seen, t].astype(int)).predict_proba(X[test])[:, -1])
    found = {}
    for name, scores in {"joint": joint, "single": single}.items():
        areas = []
        for t in range(Y.shape[1]):
            seen = ~np.isnan(Y[test, t])
            areas.append(roc_auc_score(Y[test, t][seen], scores[t][seen]))
        found |= {name: 1 - float(np.mean(areas))} | {f"{t}, {name}": 1 - area for t, area in enumerate(areas)}
    return found


def run(quick=False, n_jobs=None):
    """Errors for growing shares of the labels."""
    settings, n_seeds = ((0.1,), 1) if quick else ((0.05, 0.1, 0.3, 1.0), 5)
    found = draws(trial, settings, n_seeds, n_jobs)
    total = {name: found.pop(name) for name in ("joint", "single")}
    pairs = [("joint", "single")]
    tables = ["### One less the area under the ROC curve, mean of the assays", ""]
    tables += [*table_of_means("share", settings, total), "", *against("share", settings, total, pairs), ""]
    tables += ["### By assay: joint / single, mean", "", *_by_assay(settings, found)]
    return Outcome(
        tables,
        summary("One less AUC", settings, total, pairs),
        lambda: error_panels("share of the labels", settings, {"one less AUC": total}),
    )


def _by_assay(settings, found):
    from benchmarks.report import table

    n_assays = len(found) // 2
    cells = [
        [
            share,
            *(f"{found[f'{t}, joint'][i].mean():.3f} / {found[f'{t}, single'][i].mean():.3f}" for t in range(n_assays)),
        ]
        for i, share in enumerate(settings)
    ]
    return table(["share", *(f"assay {t}" for t in range(n_assays))], cells)


STUDY = Study(
    "Nets: masked labels on Tox21",
    """One net for all assays uses the labels of each for the others: with few labels it is better than a net for
    each assay.""",
    f"""Tox21 (toxicity of compounds in 12 assays, labels missing by nature), ECFP fingerprints of 1024 bits;
    {N_TEST} compounds for testing, of the others' labels a share is kept at random; {HIDDEN} hidden units, dropout
    0.3, early stopping on a tenth of the rows; 5 draws. The folder of the data is in the environment variable
    MTLREG_DATA.""",
    run,
)
