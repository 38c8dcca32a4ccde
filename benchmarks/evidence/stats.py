"""Means, paired intervals, and where a success curve crosses one half."""

import numpy as np
from scipy import stats

__all__ = ["bootstrap_crossings", "crossing", "mean_text", "paired_interval", "percentiles", "verdict"]


def mean_text(values, decimals=3):
    """Mean and standard error as text."""
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.{decimals}f} ± {error:.{decimals}f}"


def paired_interval(one, other, level=0.95):
    """``(mean, low, high)`` of ``one - other`` over draws that both were given: a t interval."""
    difference = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    mean, n = difference.mean(), len(difference)
    if n < 2:
        return mean, -np.inf, np.inf
    half = stats.t.ppf((1 + level) / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def verdict(low, high):
    """Of a claim that a difference is below 0, by its interval."""
    return "holds" if high < 0 else "does not hold" if low > 0 else "open"


def crossing(x, share):
    """Where shares of successes (..., n_x), made increasing in x, cross one half; -inf or inf outside of the x.

    Made increasing as the mean of their running maximum from the left and running minimum from the right.
    """
    share = np.asarray(share, dtype=float)
    above = np.maximum.accumulate(share, axis=-1)
    below = np.minimum.accumulate(share[..., ::-1], axis=-1)[..., ::-1]
    rate = (above + below) / 2
    last = np.count_nonzero(rate < 0.5, axis=-1)  # position of the first that is not below
    k = np.clip(last, 1, len(x) - 1)[..., None]
    (y0,), (y1,) = (np.moveaxis(np.take_along_axis(rate, i, axis=-1), -1, 0) for i in (k - 1, k))
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = x[k[..., 0] - 1] + (0.5 - y0) / (y1 - y0) * (x[k[..., 0]] - x[k[..., 0] - 1])
    return np.where(last == 0, -np.inf, np.where(last == len(x), np.inf, inside))


def bootstrap_crossings(x, successes, n_draws=1000, seed=0):
    """Crossings of resampled data sets, the same ones for every method.

    Parameters
    ----------
    x : array (n_x,)
    successes : dict of name -> bool array (n_x, n_replications)

    Returns
    -------
    dict of name -> array (n_draws,)
    """
    shape = next(iter(successes.values())).shape
    chosen = np.random.default_rng(seed).integers(shape[1], size=(n_draws, *shape))
    return {
        name: crossing(x, np.take_along_axis(values[None], chosen, axis=2).mean(axis=2))
        for name, values in successes.items()
    }


def percentiles(values, level=0.95):
    """The middle ``level`` of values, which may be infinite."""
    tails = [50 * (1 - level), 50 * (1 + level)]
    return tuple(np.percentile(values, tails, method="inverted_cdf"))
