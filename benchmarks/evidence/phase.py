"""Phase transition of support recovery for two tasks that share a part of their features (Jalali et al., 2010)."""

from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np
from joblib import Parallel, delayed

from benchmarks.evidence.plot import panels
from benchmarks.evidence.stats import bootstrap_crossings, crossing, percentiles, verdict
from benchmarks.evidence.study import Outcome, Study
from benchmarks.report import table
from mtlreg import L1, InfimalConvolution, L1Linf, MultiTaskRegressor

__all__ = ["STUDY"]

NOISE = 0.1
ZERO = 1e-4  # coefficients are -1, 0 or 1, and solutions exact to far less
#: name of the reading -> entries below this part of their row's largest are read as zeros
READINGS = {"half": 0.5, "ties": 1 - ZERO, "plain": 0.0}


def dirty(price):
    """L1Linf at ``price`` times the strength of L1."""
    return InfimalConvolution([("shared", L1Linf(price)), ("specific", L1())])


METHODS = {"dirty": dirty(sqrt(2)), "l1linf": L1Linf(), "lasso": L1()}
OTHER_PRICES = {"dirty, price 1.2": dirty(1.2), "dirty, price 1.7": dirty(1.7)}
PREDICTED = {"dirty": lambda a: 2 - a, "l1linf": lambda a: 4 - 3 * a, "lasso": lambda a: 2.0}


@dataclass(frozen=True)
class Panel:
    """Data sets of one overlap."""

    overlap: float
    thetas: tuple
    p: int = 128

    @property
    def s(self):
        """Size of the support of a task."""
        return ceil(0.1 * self.p)

    @property
    def unit(self):
        """Rows a task at theta = 1."""
        return self.s * log(self.p - (2 - self.overlap) * self.s)


def draw(panel, n, seed):
    """Stacked X (2 n, p + 1), y (2 n,) and the coefficients (2, p), each -1, 0 or 1."""
    rng = np.random.default_rng([seed, n, round(100 * panel.overlap)])
    s, p = panel.s, panel.p
    n_shared = round(panel.overlap * s)
    features, W = rng.permutation(p), np.zeros((2, p))
    for t in range(2):
        own = features[n_shared + t * (s - n_shared) :][: s - n_shared]
        W[t, np.concatenate([features[:n_shared], own])] = rng.choice([-1.0, 1.0], s)
    X = rng.standard_normal((2, n, p))
    y = np.einsum("tnp,tp->tn", X, W) + NOISE * rng.standard_normal((2, n))
    return np.column_stack([X.reshape(2 * n, p), np.repeat([0, 1], n)]), y.ravel(), W


def recovered(coefs, W):
    """Whether the signed support is that of W, for every reading and strength: (n_readings, n_alphas)."""
    size = np.abs(coefs)
    largest = size.max(axis=1, keepdims=True)
    seen = [np.where((size > ZERO) & (size >= part * largest), np.sign(coefs), 0) for part in READINGS.values()]
    return np.array([(signs == W).all(axis=(1, 2)) for signs in seen])


def replicate(panel, theta, seed, factors, methods):
    """`recovered` of every method on one data set."""
    n = round(theta * panel.unit)
    X, y, W = draw(panel, n, seed)
    alphas = factors * sqrt(log(panel.p) / n)
    found = []
    for penalty in methods.values():
        model = MultiTaskRegressor(penalty, task_feature=-1, fit_intercept=False, tol=1e-8)
        found.append(recovered(model.path(X, y, alphas).coefs, W))
    return np.array(found)


def simulate(panel, n_seeds, factors, methods, n_jobs):
    """Successes by method: bool arrays (n_readings, n_thetas, n_seeds, n_factors)."""
    jobs = [
        delayed(replicate)(panel, theta, seed, factors, methods) for theta in panel.thetas for seed in range(n_seeds)
    ]
    found = np.array(Parallel(n_jobs=n_jobs)(jobs))
    found = found.reshape(len(panel.thetas), n_seeds, len(methods), len(READINGS), len(factors))
    return dict(zip(methods, np.moveaxis(found, [2, 3], [0, 1]), strict=True))


def at_best(successes):
    """Success at the best strength of each data set: by reading and name, (n_thetas, n_seeds)."""
    return {
        reading: {name: values[k].any(axis=-1) for name, values in successes.items()}
        for k, reading in enumerate(READINGS)
    }


def at_one(successes, reading="half"):
    """Success at the one strength factor that is best over the seeds, at each theta."""
    found = {}
    for name, values in successes.items():
        values = values[list(READINGS).index(reading)]
        best = values.mean(axis=1).argmax(axis=-1)
        found[name] = np.take_along_axis(values, best[:, None, None], axis=-1)[..., 0]
    return found


def crossings(panel, successes):
    """By method ``(50 % point, low, high)``, and by rival the interval of dirty's less its own."""
    x = np.array(panel.thetas)
    drawn = bootstrap_crossings(x, successes)
    points = {
        name: (float(crossing(x, values.mean(axis=1))), *percentiles(drawn[name])) for name, values in successes.items()
    }
    # two points beyond the last theta do not differ
    with np.errstate(invalid="ignore"):
        gaps = {rival: drawn["dirty"] - drawn[rival] for rival in ("l1linf", "lasso")}
    return points, {rival: percentiles(np.where(np.isnan(gap), 0.0, gap)) for rival, gap in gaps.items()}


def _point_text(panel, point):
    """Rows and theta of a 50 % point, with the interval of theta."""
    middle, low, high = point
    if not np.isfinite(middle):
        return f"> {max(panel.thetas):g}" if middle > 0 else f"< {min(panel.thetas):g}"
    return f"{middle:.2f} [{low:.2f}, {high:.2f}], n = {middle * panel.unit:.0f}"


def _gap_text(interval):
    low, high = interval
    return f"[{low:+.2f}, {high:+.2f}] {verdict(low, high)}"


def _rows(panel, label, successes):
    points, gaps = crossings(panel, successes)
    names = [name for name in successes if name not in OTHER_PRICES]
    cells = [_point_text(panel, points[name]) for name in names]
    return [f"{panel.overlap:.2f}", label, *cells, *(_gap_text(gap) for gap in gaps.values())]


def _tables(results):
    lines = ["Theta at which half of the draws succeed, with bootstrap intervals over the draws.", ""]
    rows = []
    for panel, successes in results:
        rows.append([f"{panel.overlap:.2f}", "predicted", *(_predicted(panel, name) for name in METHODS), "", ""])
        rows += [_rows(panel, reading, found) for reading, found in at_best(successes).items()]
        rows.append(_rows(panel, "half, one strength for all draws", at_one(successes)))
    lines += table(["overlap a", "reading", *METHODS, "dirty less l1linf", "dirty less lasso"], rows)
    lines += ["", "Other prices of the shared part, in units of the strength of the specific:", ""]
    rows = [
        _other_prices(panel, reading, found)
        for panel, successes in results
        for reading, found in at_best(successes).items()
    ]
    return [*lines, *table(["overlap a", "reading", *OTHER_PRICES], rows)]


def _predicted(panel, name):
    theta = PREDICTED[name](panel.overlap)
    return f"{theta:.2f}, n = {theta * panel.unit:.0f}"


def _other_prices(panel, reading, found):
    points, _ = crossings(panel, found)
    return [f"{panel.overlap:.2f}", reading, *(_point_text(panel, points[name]) for name in OTHER_PRICES)]


def _findings(results):
    lines = []
    for panel, successes in results:
        for reading in ("half", "plain"):
            points, gaps = crossings(panel, at_best(successes)[reading])
            words = [f"left of {rival} {verdict(*gap)}" for rival, gap in gaps.items()]
            at = _point_text(panel, points["dirty"])
            lines.append(f"a = {panel.overlap:.2f}, {reading}: dirty at {at}; {'; '.join(words)}.")
    return lines


def _draw(results):
    readings = ("half", "plain")
    fig, axes = panels(len(readings), len(results), "rescaled rows n / (s log(p - (2 - a) s))", "share recovered")
    for i, reading in enumerate(readings):
        for ax, (panel, successes) in zip(axes[i], results, strict=True):
            found = at_best(successes)[reading]
            for k, name in enumerate(METHODS):
                ax.plot(panel.thetas, found[name].mean(axis=1), "o-", ms=3, color=f"C{k}", label=name)
                ax.axvline(PREDICTED[name](panel.overlap), color=f"C{k}", ls=":", lw=1)
            ax.set_title(f"overlap {panel.overlap:.2f}, {reading}", fontsize=10)
    axes[0][0].legend(fontsize=8)
    return fig


def run(quick=False, n_jobs=None):
    """Transitions for three overlaps."""
    thetas = np.round(np.arange(0.8, 3.7, 0.2), 1)
    if quick:
        plan, n_seeds, factors = [Panel(0.8, (1.0, 2.5), 40)], 2, np.geomspace(1.5, 0.3, 3)
    else:
        plan = [Panel(a, tuple(thetas[thetas <= top])) for a, top in ((0.3, 3.6), (2 / 3, 2.9), (0.8, 2.9))]
        n_seeds, factors = 60, np.geomspace(3.0, 0.25, 12)
    results = [(panel, simulate(panel, n_seeds, factors, METHODS | OTHER_PRICES, n_jobs)) for panel in plan]
    return Outcome(_tables(results), _findings(results), lambda: _draw(results))


STUDY = Study(
    "Phase transition of the dirty model",
    """Two tasks that share a part a of their features: the dirty model recovers supports from fewer rows than
    l1/linf and than the lasso, at every overlap; thresholds of theta = n / (s log(p - (2 - a) s)) are 2 - a, 4 -
    3 a and 2 (Jalali, Ravikumar, Sanghavi & Ruan, 2010; Negahban & Wainwright, 2008, for l1/linf).""",
    """p = 128 features, s = 13 used by each task, round(a s) of them by both; coefficients -1 or 1 with random
    signs, so that a shared feature has one size in both tasks, as the theorems ask; n rows of its own for each
    task; X and noise are Gaussian, noise 0.1; no intercept. 60 draws for each n. Twelve strengths c sqrt(log p /
    n), c from 3 to 0.25; a shared row costs the dirty model sqrt(2) times the strength (its price; the theory
    allows 1 to 2). A draw is a success if some strength of the path gives the right signed support of both
    tasks. What is read as support, for all models alike: `plain`, every entry that is not zero (under l1/linf an
    unused entry of a used row is free and never zero, so that it cannot succeed here); `ties`, entries of the
    size of their row's largest (Negahban & Wainwright's rule); `half`, entries of at least half their row's
    largest: the norm finds the features and the signs, the sizes tell who uses them.""",
    run,
)
