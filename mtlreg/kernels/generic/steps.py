"""Steps of accelerated gradient methods for any array-API library: the plain reference.

Arrays hold one problem, or several that are solved side by side, each with as many columns. What belongs to a problem
(its momentum, its restart) is an array with an entry for each, so that nothing need be read on the host.
"""

from array_api_compat import array_namespace

__all__ = ["accelerate", "by_problem", "descend", "extrapolate", "restart", "take_problems", "uphill"]


def accelerate(t):
    """Nesterov's sequence: ``t' = (1 + sqrt(1 + 4 t^2)) / 2`` and ``(t - 1) / t'``, the share of the last step.

    Parameters
    ----------
    t : array of shape (n_problems,)

    Returns
    -------
    following, beta : arrays of shape (n_problems,)
    """
    following = 0.5 * (1 + array_namespace(t).sqrt(1 + 4 * t * t))
    return following, (t - 1) / following


def restart(t, slope):
    """t, and 1 where a slope is > 0: arrays of shape (n_problems,)."""
    xp = array_namespace(t)
    return xp.where(slope > 0, xp.ones_like(t), t)


def extrapolate(x, previous, beta):
    """``x + beta (x - previous)``.

    Parameters
    ----------
    x, previous : array of shape (..., n_problems * T)
    beta : array of shape (n_problems,)
    """
    if beta.shape[0] > 1:
        beta = array_namespace(x).repeat(beta, x.shape[-1] // beta.shape[0])
    return x + beta * (x - previous)


def descend(x, slope, length):
    """``x - length slope``."""
    return x - length * slope


def uphill(ahead, x, previous, count):
    """``<ahead - x, x - previous>`` of every problem, > 0 where momentum points uphill: array of shape (count,).

    Parameters
    ----------
    ahead, x, previous : array of shape (..., count * T)
    count : int
        Number of problems.
    """
    products = (ahead - x) * (x - previous)
    return array_namespace(x).sum(by_problem(products, count), axis=(0, 2))


def by_problem(a, count):
    """Columns of problems side by side with an axis for the problem: (rows, count, T)."""
    return array_namespace(a).reshape(a, (-1, count, a.shape[-1] // count))


def take_problems(a, at, count):
    """The columns of some of the problems side by side, given their positions ``at``."""
    xp, width = array_namespace(a), a.shape[-1] // count
    return xp.take(a, xp.reshape(at[:, None] * width + xp.arange(width), (-1,)), axis=-1)
