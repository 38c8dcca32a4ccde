"""CPU seconds of every convex family of penalties on School to a certified gap: `python -m benchmarks.school --help`.

139 tasks with rows of their own, 27 features that are correlated and some of them constant in a task; the folder of
the data is in the environment variable MTLREG_DATA. Each penalty is fitted at shares of the largest strength on its
path. The first fit is not counted, so that compiled code is warm, unless it took so long that it is the only one. The
gap is mtlreg's own; it is relative to F0, the objective at zero coefficients.
"""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path
from statistics import median

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

__all__ = ["families", "main"]

LONG = 10.0  # seconds: a longer fit is not done again


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


def strengths(model, X, y, shares):
    """Shares of the largest strength on the penalty's path; what has no strength is fitted as it is."""
    if not model.penalty.has_strength:
        return {"-": model.penalty}
    top = model.path_alphas(X, y, 1)[0]
    return {f"{share:g}": model.penalty.with_alpha(share * top) for share in shares}


def fit(model, X, y, repeats):
    """A row of the table, but for its name and share."""
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap is in the table
        for _ in range(1 + repeats):
            before = time.process_time()
            model.fit(X, y)
            times.append(time.process_time() - before)
            if times[-1] > LONG:
                break
    counted = times[1:] or times
    gap = model.dual_gap_ / model.history_["objective"][0]
    reached = "" if model.converged_ else " (not reached)"
    seconds = f"{median(counted):.3g} ({min(counted):.3g}, {max(counted):.3g})"
    return [seconds, model.n_iter_, f"{gap:.1e}{reached}"]


def main(arguments=None):
    """Run what the arguments say and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        features, y, task = load_data().school()
    except FileNotFoundError as error:
        print(f"benchmarks.school: {error}", file=sys.stderr)
        return 2
    from threadpoolctl import threadpool_limits

    X, rows = np.column_stack([features, task]), []
    with threadpool_limits(1):
        for name, (penalty, parameters) in families(X, y).items():
            if options.families and not any(word in name for word in options.families):
                continue
            settings = {"task_feature": -1, "tol": options.gap, "max_iter": options.max_iter}
            model = MultiTaskRegressor(penalty, **settings, **parameters)
            for share, one in strengths(model, X, y, options.shares).items():
                rows.append([name, share, *fit(model.set_params(penalty=one), X, y, options.repeats)])
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    command = shlex.join(["python", "-m", "benchmarks.school", *arguments])
    header = ["penalty", "alpha / largest", "CPU s: median (least, most)", "iterations", "gap / F0"]
    lines = [f"# School to a gap of {options.gap:g}", "", *environment(command), "", *table(header, rows)]
    text = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(text)
    print(text)
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.school", description=__doc__.splitlines()[0])
    parser.add_argument("--gap", type=float, default=1e-6, help="relative to F0 (default: 1e-6)")
    parser.add_argument("--families", nargs="+", metavar="WORD", help="those whose names contain a word (default: all)")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.01], help="of the largest strength")
    parser.add_argument("--repeats", type=int, default=3, help="of a fit, after the first (default: 3)")
    parser.add_argument("--max-iter", type=int, default=100_000, help="that one fit may take (default: 100000)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
