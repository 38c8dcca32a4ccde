"""Checks of a penalty that is concave in the norms of rows."""

from __future__ import annotations

import numpy as np

from mtlreg.testing._common import assert_close, check_untouched, require, same_elsewhere

__all__ = ["check_concave"]

STEP = 1e-6  # of finite differences


def check_concave(penalty, shape, rng, check_convex):
    """Check value, slopes and majorants at W of a shape; ``check_convex`` is for the majorants."""
    name = f"{penalty!r} at shape {shape}"
    small, large = (_random(penalty, shape, rng, size) for size in (0.3, 3.0))
    for W in (small, large, np.zeros(shape)):
        _check_value(penalty, W, name)
        for V in (2.0 * W, 0.5 * W, *(W * (1 + rng.standard_normal((shape[0], 1))) for _ in range(5)), small, large):
            _check_majorant(penalty, W, V, name)
    for W in (small[::-1], large):
        _check_slopes(penalty, W, name)
    _check_start(penalty, large, name)
    _check_alpha_max(penalty, shape, rng, name)
    _check_arrays(penalty, large, name)
    for weights in (None, rng.uniform(0.2, 3.0, shape[0])):
        check_convex(penalty.majorant(weights), shape)


def _random(penalty, shape, rng, size):
    """W with rows of every size beside alpha, and one that is zero where there are several."""
    rows = size * float(penalty.alpha) * 10.0 ** rng.uniform(-1, 1, (shape[0], 1))
    return rows * rng.standard_normal(shape) * (np.arange(shape[0])[:, None] != 1)


def _check_value(penalty, W, name):
    value = penalty.value(W)
    require(isinstance(value, float), f"{name}: value is a {type(value).__name__}, not a float")
    require(np.isfinite(value) and value >= 0, f"{name}: value is {value}")
    require(penalty.value(0 * W) == 0, f"{name}: value(0) is not 0")
    slack = 1e-12 * value
    require(penalty.value(2 * W) >= value - slack, f"{name}: value falls along a ray")
    concave = penalty.value(2 * W) >= 0.5 * (value + penalty.value(3 * W)) - slack
    require(concave, f"{name}: value is not concave along a ray")
    stronger = penalty.with_alpha(2 * penalty.alpha)
    require(stronger.value(W) >= value - slack, f"{name}: value falls as alpha grows")
    by_row = sum(penalty.value(np.where(np.arange(len(W))[:, None] == j, W, 0)) for j in range(len(W)))
    assert_close(value, by_row, 1e-12, f"{name}: value is not a sum over rows")


def _tangent(penalty, c, W):
    """The majorant without its constant, rows of infinite weight being zero."""
    kept = (c > 0) & np.isfinite(c)
    weights = np.where(kept, c, 1.0)
    return penalty.majorant(weights).value(np.where(kept[:, None], W, 0.0))


def _check_majorant(penalty, W, V, name):
    """``value(V) <= value(W) + tangent(V) - tangent(W)``, the tangent that at W."""
    c = penalty.slopes(W)
    require(c.shape == (len(W),) and bool((c >= 0).all()), f"{name}: slopes are {c}")
    V = np.where(np.isfinite(c)[:, None], V, 0.0)
    upper = penalty.value(W) + _tangent(penalty, c, V) - _tangent(penalty, c, W)
    excess = (penalty.value(V) - upper) / (1e-300 + abs(upper) + penalty.value(V))
    require(excess <= 1e-12, f"{name}: value is above its majorant by {excess:.3g}")


def _check_slopes(penalty, W, name):
    """The derivative along a ray is the tangent's, which is homogeneous, one row at a time."""
    for j in np.flatnonzero(W.any(axis=1)):
        row = np.where(np.arange(len(W))[:, None] == j, W, 0.0)
        rise = (penalty.value((1 + STEP) * row) - penalty.value((1 - STEP) * row)) / (2 * STEP)
        slope, size = _tangent(penalty, penalty.slopes(row), row), penalty.value(row)
        assert_close(rise / size, slope / size, 1e-4, f"{name}: the slope of row {j} is not that of value")


def _check_start(penalty, W, name):
    c = penalty.slopes(0 * W)
    require(bool(((c == 1) | (c == np.inf)).all()), f"{name}: the slope at zero is {c[0]}, not 1 or inf")
    null = penalty.with_alpha(0.0)
    free = not null.null or null.value(W) == 0 and bool((null.slopes(W) == 1).all())
    require(free, f"{name}: alpha = 0 is not free")


def _check_alpha_max(penalty, shape, rng, name):
    """W = 0 is stationary iff alpha >= alpha_max, if at all."""
    G = rng.standard_normal(shape)
    try:
        alpha = penalty.alpha_max(G)
    except NotImplementedError:
        c = penalty.slopes(np.zeros(shape))
        require(bool((c == np.inf).all()), f"{name}: no alpha_max, though W = 0 is not stationary")
        return
    for share, zero in [(1 + 1e-12, True), (1 - 1e-9, False)]:
        moved = np.any(penalty.with_alpha(share * alpha).majorant().prox(-G, 1.0))
        require(bool(moved) != zero, f"{name}: alpha_max = {alpha:.15g} is not exact")


def _check_arrays(penalty, W, name):
    def everything(W):
        return penalty.value(W), penalty.slopes(W)

    check_untouched(everything, [W], name)
    for one, other in zip(everything(np.asfortranarray(W)), everything(W), strict=True):
        assert_close(one, other, 1e-13, f"{name}: the order in memory changes the result")
    narrow = W.astype(np.float32)
    slopes = penalty.slopes(narrow)
    require(slopes.dtype == np.float32, f"{name}: slopes are {slopes.dtype} for float32")
    assert_close(slopes, penalty.slopes(narrow.astype(float)), 1e-4, f"{name}: slopes in float32")
    same_elsewhere(everything, [W], 1e-12, name)
