"""The net next to scikit-learn's MLP and PyTorch, same weights, same batches: `python -m benchmarks.nets --help`.

All three run Adam in float64 on one thread over the same batches in the same order, so that their losses have to agree
epoch by epoch; then what differs is time. A net for every task apart is timed as well. PyTorch is left out where it is
not installed.
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
from sklearn.neural_network import MLPRegressor

from benchmarks.report import environment, table
from mtlreg import SharedLayerRegressor

__all__ = ["main"]

#: rows, features, tasks, hidden layers
SIZES = {
    "small": (1000, 20, 5, (50,)),
    "medium": (10_000, 50, 20, (100,)),
    "deep": (10_000, 100, 50, (100, 50)),
    "wide": (20_000, 200, 100, (200,)),
}
BATCH, RATE = 200, 1e-3


def draw(n, p, n_tasks, seed=0):
    """Rows and labels of standard deviation one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    Y = np.tanh(X @ rng.standard_normal((p, 10)) / np.sqrt(p)) @ rng.standard_normal((10, n_tasks))
    Y += 0.3 * rng.standard_normal(Y.shape)
    return X, (Y - Y.mean(axis=0)) / Y.std(axis=0)


def ours(hidden, epochs, **settings):
    """The net, as the others have it: no weight decay, batches in order."""
    common = {"batch_size": BATCH, "shuffle": False, "alpha": 0.0, "standardize": False, "random_state": 0, "tol": 0.0}
    settings = {"learning_rate_init": RATE, "n_iter_no_change": epochs} | settings
    return SharedLayerRegressor(hidden, max_iter=epochs, **common, **settings)


def start(X, Y, hidden):
    """Weights at the start, by name."""
    return ours(hidden, 1, learning_rate_init=1e-300).fit(X, Y).weights_


def run_mtlreg(X, Y, hidden, epochs):
    """Seconds, and the loss of each epoch: sum over the tasks of half the mean squared error."""
    model = ours(hidden, epochs)
    clock = time.process_time()
    model.fit(X, Y)
    return time.process_time() - clock, model.loss_curve_.sum(axis=1)


def run_sklearn(X, Y, hidden, epochs):
    """The same of scikit-learn's, whose loss is the mean over the tasks."""
    settings = {"batch_size": BATCH, "shuffle": False, "alpha": 0.0, "tol": 0.0, "n_iter_no_change": epochs}
    model = MLPRegressor(hidden_layer_sizes=hidden, learning_rate_init=1e-300, max_iter=1, warm_start=True, **settings)
    model.fit(X, Y)
    weights, names = start(X, Y, hidden), _names(hidden)
    model.coefs_ = [weights[f"{name}.weight"].copy() for name in names]
    model.intercepts_ = [weights[f"{name}.bias"].ravel().copy() for name in names]
    model.set_params(learning_rate_init=RATE, max_iter=epochs)
    clock = time.process_time()
    model.fit(X, Y)
    return time.process_time() - clock, np.array(model.loss_curve_[-epochs:]) * Y.shape[1]


def run_torch(X, Y, hidden, epochs):
    """The same of a PyTorch net."""
    import torch

    torch.set_num_threads(1)
    weights, layers = start(X, Y, hidden), []
    for name in _names(hidden):
        W, b = weights[f"{name}.weight"], weights[f"{name}.bias"].ravel()
        layer = torch.nn.Linear(*W.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b.copy())
        layers += [layer, torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    rows, labels, losses = torch.tensor(X), torch.tensor(Y), []
    clock = time.process_time()
    for _ in range(epochs):
        total = 0.0
        for at in range(0, len(X), BATCH):
            optimizer.zero_grad()
            loss = 0.5 * ((net(rows[at : at + BATCH]) - labels[at : at + BATCH]) ** 2).mean(dim=0).sum()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows[at : at + BATCH])
        losses.append(total / len(X))
    return time.process_time() - clock, np.array(losses)


def run_apart(X, Y, hidden, epochs):
    """A net of this package for every task, of the same hidden layers each."""
    clock = time.process_time()
    losses = sum(ours(hidden, epochs).fit(X, Y[:, [t]]).loss_curve_[:, 0] for t in range(Y.shape[1]))
    return time.process_time() - clock, losses


PEERS = {"mtlreg": run_mtlreg, "scikit-learn": run_sklearn, "PyTorch": run_torch, "a net a task": run_apart}


def _names(hidden):
    return [*(f"hidden{k}" for k in range(1, len(hidden) + 1)), f"head{len(hidden)}"]


def measure(size, epochs, repeats):
    """A row of the table: milliseconds per epoch, ratios, and how far the losses are apart."""
    n, p, n_tasks, hidden = SIZES[size]
    X, Y = draw(n, p, n_tasks)
    times, curves = {name: [] for name in PEERS}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for k in range(repeats + 1):
            for name in sorted(PEERS, key=lambda name, k=k: (list(PEERS).index(name) + k) % len(PEERS)):
                try:
                    seconds, curves[name] = PEERS[name](X, Y, hidden, epochs)
                except ImportError:
                    continue
                if k > 0:  # the first is not counted
                    times[name].append(1000 * seconds / epochs)
    cells = [f"{size}: {n} x {p}, {n_tasks} tasks, {hidden}"]
    for name in PEERS:
        if not times[name]:
            cells.append("")
            continue
        ratios = [other / own for own, other in zip(times["mtlreg"], times[name], strict=True)]
        ratio = "" if name == "mtlreg" else f" ({median(ratios):.2f}; {min(ratios):.2f}, {max(ratios):.2f})"
        cells.append(f"{median(times[name]):.3g}{ratio}")
    for name in ("scikit-learn", "PyTorch"):
        gap = np.abs(curves[name] / curves["mtlreg"] - 1).max() if name in curves else np.nan
        cells.append("" if np.isnan(gap) else f"{gap:.0e}")
    return cells


def main(arguments=None):
    """Run what the arguments say."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        rows = [measure(size, options.epochs, options.repeats) for size in options.sizes]
    command = shlex.join(["python", "-m", "benchmarks.nets", *arguments])
    header = ["net", *PEERS, "losses: scikit-learn", "losses: PyTorch"]
    text = (
        "Milliseconds of CPU an epoch: median of the repeats; in brackets how many times as long as mtlreg in the same "
    )
    text += "round: median, least, most. Losses: the largest relative difference from mtlreg's in any epoch."
    lines = ["# Nets", "", *environment(command), "", text, "", *table(header, rows)]
    page = "\n".join(lines) + "\n"
    if options.out is not None:
        options.out.write_text(page)
    print(page)
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nets", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), help="default: all")
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="after the first (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
