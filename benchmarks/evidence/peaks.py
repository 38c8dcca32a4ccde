"""Caruana's Peaks functions: what tasks on common features teach each other."""

from itertools import permutations

import numpy as np
from scipy import stats

from benchmarks.evidence.nets import draws, fitted, unexplained
from benchmarks.evidence.plot import panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import against, summary, table_of_means

__all__ = ["STUDY"]

ATTRIBUTES, UNITS, HIDDEN = 6, 10, 40
N, N_TEST, NOISE = 400, 5000, 0.2
MAIN = (0, 1, 2)
#: features in common with the main task -> the other tasks: the condition, and what is said if it holds and if not
OTHERS = {
    0: [tasks for tasks in permutations((3, 4, 5)) if tasks != (5, 4, 3)],
    1: [(0, 3, 4), (0, 4, 5), (0, 5, 3), (0, 3, 5), (0, 4, 3)],
    2: [(0, 1, 3), (0, 1, 4), (0, 1, 5), (0, 3, 2), (0, 4, 2)],
    3: [tasks for tasks in permutations((0, 1, 2)) if tasks != MAIN],
}


def peak(A, which):
    """``A_a > 1/2 ? A_b : A_c`` for which = (a, b, c)."""
    a, b, c = which
    return np.where(A[:, a] > 0.5, A[:, b], A[:, c])


def coded(A):
    """Each attribute as so many bumps along [0, 1]."""
    centres = np.linspace(0, 1, UNITS)
    return np.exp(-(((A[:, :, None] - centres) * UNITS) ** 2) / 2).reshape(len(A), -1)


def alike(net):
    """Mean rank correlation, over the hidden units, of how much the main task and another make of each."""
    V = np.abs(net.weights_["head1.weight"])
    return float(np.mean([stats.spearmanr(V[:, 0], V[:, t]).statistic for t in range(1, V.shape[1])]))


def trial(common, seed):
    """Errors of the main task alone, with the others, and with theirs shuffled; and how alike the units are used."""
    rng = np.random.default_rng([seed, common])
    A, T = rng.random((N, ATTRIBUTES)), rng.random((N_TEST, ATTRIBUTES))
    tasks = [MAIN, *OTHERS[common]]
    Y, X = np.column_stack([peak(A, task) for task in tasks]), coded(A)
    Y = Y + NOISE * rng.standard_normal(Y.shape)
    shuffled = np.column_stack([Y[:, 0], *(rng.permutation(column) for column in Y[:, 1:].T)])
    found = {}
    for name, labels in {"alone": Y[:, :1], "together": Y, "shuffled": shuffled}.items():
        others = list(range(1, labels.shape[1]))  # what is best for the main task ends the training
        settings = {"activation": "relu", "n_iter_no_change": 100, "auxiliary_tasks": others}
        net = fitted(X, labels, seed, hidden_layer_sizes=(HIDDEN,), **settings)
        found[name] = unexplained(peak(T, MAIN), net.predict(coded(T))[:, 0])
        if name != "alone":
            found[f"units, {name}"] = alike(net)
    return found


def run(quick=False, n_jobs=None):
    """Errors and use of the units for growing numbers of common features."""
    settings, n_seeds = ((0, 3), 2) if quick else (tuple(OTHERS), 30)
    found = draws(trial, settings, n_seeds, n_jobs)
    units = {name.removeprefix("units, "): found.pop(name) for name in list(found) if name.startswith("units")}
    pairs = [("together", "alone"), ("together", "shuffled"), ("shuffled", "alone")]
    label = "common features"
    tables = ["### Error of the main task", "", *table_of_means(label, settings, found), ""]
    tables += [*against(label, settings, found, pairs), "", "### Use of the units", ""]
    tables += table_of_means(label, settings, units)
    findings = summary("Error", settings, found, pairs)
    low, high = units["together"][0], units["together"][-1]
    test = stats.ttest_ind(high, low)
    findings.append(
        f"Rank correlation of the use of the units: {low.mean():.2f} with no common feature, {high.mean():.2f} with "
        f"all three (t = {test.statistic:.1f})."
    )
    return Outcome(tables, findings, lambda: _figure(settings, found, units))


def _figure(settings, found, units):
    fig, axes = panels(1, 2, "common features", "")
    for ax, by_name, title in zip(axes[0], (found, units), ("unexplained variance", "use of the units"), strict=True):
        for k, (name, values) in enumerate(by_name.items()):
            error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
            color = f"C{['alone', 'together', 'shuffled'].index(name)}"
            ax.errorbar(
                np.array(settings) + 0.03 * k, values.mean(axis=1), yerr=error, fmt="o-", color=color, label=name
            )
        ax.set_title(title, fontsize=10)
        ax.set_xticks(settings)
    axes[0][0].legend(fontsize=8)
    return fig


STUDY = Study(
    "Nets: Peaks functions",
    """A net learns a noisy task better with other tasks on the same features, the more of them are common, and uses
    its hidden units alike for these; with the labels of the others shuffled the gain is gone (Caruana, 1997).""",
    f"""Functions "if A_a > 1/2 then A_b else A_c" of {ATTRIBUTES} uniform attributes, each coded as {UNITS} bumps.
    The main task has five others beside it with none, one, two or all three of its attributes; {N} rows, noise
    {NOISE}, {N_TEST} rows without noise for testing, {HIDDEN} hidden units, early stopping by the main task on a
    fifth of the rows; 30 draws. Shuffled: the rows of the others' labels are permuted. Error: squared error of the
    main task over its variance. Use of the units: rank correlation of the sizes of the main head's weights with
    each other head's, mean.""",
    run,
)
