"""Every convex family of penalties on School to a certified gap of 1e-8: `python -m benchmarks.certify_school --help`.

139 tasks with rows of their own, 27 features that are correlated and some of them constant in a task; the folder of
the data is in the environment variable MTLREG_DATA. Each penalty is fitted at shares of the largest strength on its
path. The gap is mtlreg's own; it is relative to F0, the objective at zero coefficients.
"""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.real.job import load_data
from benchmarks.report import environment, table
from mtlreg import (
    L1,
    L21,
    Chain,
    ClusterNorm,
    Coupled,
    Graph,
    GraphFused,
    InfimalConvolution,
    L1Linf,
    L1Lq,
    MeanRegularized,
    MultiTaskRegressor,
    RowWeighted,
    SparseGroup,
    SpectralBoxNorm,
    SquaredTraceNorm,
    TemporalSmooth,
    TotalVariation,
    TraceBall,
    TraceNorm,
    Transposed,
    TreeGroups,
    task_graph,
    task_tree,
)
from mtlreg.solvers._choose import choose

__all__ = ["families", "main"]

GOAL = 1e-8


def families(X, y):
    """``{name: (penalty, parameters of the model)}``; graphs and trees are those of the data, orders are arbitrary."""
    graph = task_graph(X, y, task_feature=-1, threshold=0.9)
    weights = np.geomspace(0.3, 3.0, X.shape[1] - 1)
    penalties = {
        "l1": L1(),
        "l1, ridge": L1(alpha_ridge=1.0),
        "l1, positive": L1(positive=True),
        "l21": L21(),
        "l1linf": L1Linf(),
        "l1lq, q = 1.5": L1Lq(q=1.5),
        "sparse group": SparseGroup(),
        "chain of l1 and l21": Chain([L1(0.3), L21(1.0)]),
        "dirty (l1linf + l1)": InfimalConvolution([("shared", L1Linf(6.0)), ("specific", L1())]),
        "dirty (l21 + l1)": InfimalConvolution([("shared", L21(3.5)), ("specific", L1())]),
        "robust features": InfimalConvolution([("shared", L21(0.6)), ("outlier", Transposed(L21(0.4)))]),
        "tasks (transposed l21)": Transposed(L21()),
        "weighted rows": RowWeighted(L21(), weights),
        "trace norm": TraceNorm(),
        "squared trace norm": SquaredTraceNorm(),
        "trace ball": TraceBall(100.0),
        "robust low rank": InfimalConvolution([("low_rank", TraceNorm(0.6)), ("outlier", Transposed(L21(0.4)))]),
        "sparse + low rank": InfimalConvolution([("sparse", L1(0.4)), ("low_rank", TraceNorm(0.6))]),
        "sparse + trace ball": InfimalConvolution([("sparse", L1()), ("low_rank", TraceBall(100.0))]),
        "box norm": SpectralBoxNorm(n_clusters=5, shape=0.1),
        "cluster norm": ClusterNorm(n_clusters=5),
        "total variation": TotalVariation(),
        "total variation, ridge": TotalVariation(alpha_ridge=1.0),
        "fused sparse group": Chain([TotalVariation(0.6), L1(0.3), L21(0.5)]),
        "weighted fused lasso": Chain([TotalVariation(0.6), RowWeighted(L1(0.3), weights)]),
        f"graph fused, {len(graph)} edges": GraphFused(graph=graph),
        "tree groups": TreeGroups(tree=task_tree(X, y, task_feature=-1)),
        "mean-regularised": MeanRegularized(),
        "mean-regularised, ridge": MeanRegularized(alpha_ridge=1.0),
        "graph": Graph(graph),
        "graph, l1": Graph(graph, alpha_l1=0.05),
        "temporal": TemporalSmooth(),
        "temporal group lasso": Coupled(L21(), TemporalSmooth(1.0)),
        "mean-regularised, l21": Coupled(L21(), MeanRegularized(1.0)),
    }
    found = {name: (penalty, {}) for name, penalty in penalties.items()}
    return found | {"calibrated l21": (L21(), {"loss": "calibrated"}), "calibrated l1": (L1(), {"loss": "calibrated"})}


def within(seconds):
    """The solver of "auto", stopped after so many seconds."""

    def solver(problem, state, **settings):
        end = time.perf_counter() + seconds
        for iterate in choose("auto", problem)(problem, state, **settings):
            yield iterate
            if time.perf_counter() > end:
                return

    return solver


def strengths(model, X, y, shares):
    """Shares of the largest strength on the penalty's path; what has no strength is fitted as it is."""
    if not model.penalty.has_strength:
        return {"-": model.penalty}
    top = model.path_alphas(X, y, 1)[0]
    return {f"{share:g}": model.penalty.with_alpha(share * top) for share in shares}


def fit(model, X, y):
    """A row of the table, but for its name and share."""
    clock = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap is in the table
        model.fit(X, y)
    seconds = time.perf_counter() - clock
    gap = model.dual_gap_ / model.history_["objective"][0]
    return [model.n_iter_, f"{gap:.1e}" + ("" if model.converged_ else " (not reached)"), f"{seconds:.1f}"]


def main(arguments=None):
    """Run what the arguments say and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.certify_school", description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", metavar="WORD", help="those whose names contain a word (default: all)")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.01], help="of the largest strength")
    parser.add_argument("--seconds", type=float, default=240, help="that one fit may take (default: 240)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args(arguments)
    try:
        features, y, task = load_data().school()
    except FileNotFoundError as error:
        print(f"benchmarks.certify_school: {error}", file=sys.stderr)
        return 2
    X, rows = np.column_stack([features, task]), []
    for name, (penalty, parameters) in families(X, y).items():
        if options.families and not any(word in name for word in options.families):
            continue
        model = MultiTaskRegressor(penalty, task_feature=-1, tol=GOAL, max_iter=10**7, **parameters)
        model.set_params(solver=within(options.seconds))
        for share, one in strengths(model, X, y, options.shares).items():
            rows.append([name, share, *fit(model.set_params(penalty=one), X, y)])
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    command = shlex.join(["python", "-m", "benchmarks.certify_school", *arguments])
    header = ["penalty", "alpha / largest", "iterations", "gap / F0", "seconds"]
    text = "\n".join([f"# School, certified to {GOAL:g}", "", *environment(command), "", *table(header, rows)]) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
