"""Tasks in clusters: cluster norms against the trace norm and ridge (after Jacob, Bach & Vert, 2009)."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.evidence.plot import curves, panels
from benchmarks.evidence.study import Outcome, Study
from benchmarks.evidence.trial import QUICK, Budget, against, error, ridge, run_trials, search, summary, table_of_means
from mtlreg import L1, ClusterNorm, SpectralBoxNorm, TraceNorm

__all__ = ["STUDY"]

CENTRE, SPREAD, NOISE = 30.0, 4.0, 150**0.5  # standard deviations


@dataclass(frozen=True)
class Layout:
    """Clusters of tasks on features of their own, and features of all tasks."""

    n_clusters: int
    size: int
    own: int
    common: int

    @property
    def labels(self):
        """The cluster of every task."""
        return np.repeat(np.arange(self.n_clusters), self.size)

    @property
    def title(self):
        """In words."""
        return f"{self.n_clusters} clusters of {self.size} tasks"

    def draw(self, n, seed):
        """X (n a task), y and coefficients."""
        rng = np.random.default_rng([seed, n])
        n_tasks, p = len(self.labels), self.n_clusters * self.own + self.common
        W = np.zeros((n_tasks, p))
        for c in range(self.n_clusters):
            centre = CENTRE * rng.standard_normal(self.own)
            tasks, features = np.flatnonzero(self.labels == c), np.arange(c * self.own, (c + 1) * self.own)
            W[np.ix_(tasks, features)] = centre + SPREAD * rng.standard_normal((self.size, self.own))
        W[:, p - self.common :] = SPREAD * rng.standard_normal((n_tasks, self.common))
        X = rng.standard_normal((n_tasks, n, p))
        y = np.einsum("tnp,tp->tn", X, W) + NOISE * rng.standard_normal((n_tasks, n))
        return np.column_stack([X.reshape(-1, p), np.repeat(np.arange(n_tasks), n)]), y.ravel(), W

    def rand(self, coef, truth):
        """Adjusted Rand index of k-means on the tasks' coefficients."""
        found = KMeans(self.n_clusters, n_init=10, random_state=0).fit_predict(coef)
        return adjusted_rand_score(self.labels, found)


NINE, FOUR = Layout(3, 3, 9, 3), Layout(2, 2, 14, 2)
RIVALS = ("TraceNorm", "ridge", "lasso")


def _models(layout, budget):
    k = layout.n_clusters
    return {
        "ClusterNorm": search(ClusterNorm(n_clusters=k), budget, {"penalty__eps_between": [0.01, 0.1]}),
        "SpectralBoxNorm": search(SpectralBoxNorm(n_clusters=k), budget, {"penalty__shape": [0.01, 0.1]}),
        "TraceNorm": search(TraceNorm(), budget),
        "ridge": ridge(budget),
        "lasso": search(L1(), budget),
    }


def run(quick=False, n_jobs=None):
    """Errors and clusters for growing numbers of rows."""
    settings, n_seeds, budget = ((8,), 2, QUICK) if quick else ((6, 8, 10, 14, 20), 20, Budget(16))
    tables, findings, results = [], [], []
    for layout in (FOUR,) if quick else (NINE, FOUR):
        measures = {"error": error, "rand": layout.rand}
        found = run_trials(layout.draw, lambda n, la=layout: _models(la, budget), measures, settings, n_seeds, n_jobs)
        results.append((layout, found))
        tables += [f"### {layout.title}", "", *_tables(settings, found), ""]
        pairs = [(name, rival) for name in ("ClusterNorm", "SpectralBoxNorm") for rival in RIVALS]
        findings += summary(f"{layout.title}, error", settings, found["error"], pairs)
    return Outcome(tables, findings, lambda: _draw(settings, results))


def _tables(settings, found):
    lines = ["Relative squared error of the coefficients, mean ± standard error.", ""]
    lines += [*table_of_means("rows a task", settings, found["error"]), "", "Adjusted Rand index:", ""]
    lines += [*table_of_means("rows a task", settings, found["rand"]), "", "Paired differences of the error:", ""]
    for name in ("ClusterNorm", "SpectralBoxNorm"):
        lines += [*against("rows a task", settings, found["error"], [(name, rival) for rival in RIVALS]), ""]
    return lines


def _draw(settings, results):
    fig, axes = panels(2, len(results), "rows a task", "")
    for k, (layout, found) in enumerate(results):
        curves(axes[0][k], np.array(settings), found["error"], logy=True)
        curves(axes[1][k], np.array(settings), found["rand"])
        axes[0][k].set_title(layout.title, fontsize=10)
    axes[0][0].set_ylabel("relative squared error", fontsize=9)
    axes[1][0].set_ylabel("adjusted Rand index", fontsize=9)
    axes[0][0].legend(fontsize=8)
    return fig


STUDY = Study(
    "Clusters of tasks",
    """With few rows, norms that know of clusters estimate better than the trace norm and than ridge, and find the
    clusters (Jacob, Bach & Vert, 2009, for two clusters of two tasks).""",
    """Each cluster has features of its own, on which its centre is N(0, 30^2) and its tasks differ from it by N(0,
    4^2); a few more features are N(0, 4^2) in every task; all else is zero. X is N(0, I), n rows for each task,
    noise of variance 150, no intercepts. Three clusters of three tasks: nine features each and three more. Two
    clusters of two tasks: 14 each and two more, the paper's set-up as it is remembered, not checked against its
    text. 20 draws. Sixteen candidates for every model by five folds and pooled R2: sixteen strengths, or eight
    for each of two `eps_between` (0.01, 0.1, the others at their defaults) or `shape` (0.01, 0.1); the number of
    clusters is given. Ridge has one strength for all tasks. The lasso stands here because features of their own
    are sparsity too. Clusters are found by k-means on the tasks' coefficients, with the true number.""",
    run,
)
