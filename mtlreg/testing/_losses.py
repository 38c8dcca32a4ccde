"""Checks of one loss."""

from __future__ import annotations

import copy
import pickle

import numpy as np

from mtlreg.testing._common import assert_close, check_untouched, require, same_elsewhere

__all__ = ["check_loss"]

LABELS = {
    "regression": np.array([-3.0, -0.2, 0.0, 1.0, 12.0]),
    "binary": np.array([0.0, 1.0]),
    "count": np.array([0.0, 1.0, 1.5, 7.0]),
    "multiclass": np.array([0.0, 1.0, 2.0]),
}
BAD_LABELS = {"binary": 2.0, "count": -1.0}


def check_loss(loss, labels=None):
    """Check a loss against the protocol of `mtlreg.losses.Loss`.

    Derivatives are compared with differences, the conjugate with the Fenchel-Young relation and with a
    search; the minimum over ``eta`` must be 0 and ``curvature`` the supremum of the second derivative.
    Arguments stay untouched, float32 stays float32, extreme predictors give finite values, and
    ``array_api_strict`` arrays (if installed) the same results.

    Parameters
    ----------
    loss : Loss
    labels : array-like, default=None
        Values of y to use; None: some of the loss's ``kind``.

    Raises
    ------
    AssertionError
        Saying what does not hold.
    """
    name = f"{type(loss).__name__} loss"
    labels = LABELS[loss.kind] if labels is None else np.asarray(labels, dtype=float)
    y, eta = _points(loss, labels)
    check_untouched(lambda y, eta: _everything(loss, y, eta, 0 * eta), [y, eta], name)
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            _check_derivatives(loss, y, eta, name)
            _check_minimum(loss, y, eta, name)
            _check_conjugate(loss, y, eta, name)
            _check_curvature(loss, y, eta, name)
            _check_extremes(loss, labels, name)
            _check_arrays(loss, y, eta, name)
    except FloatingPointError as error:
        raise AssertionError(f"{name}: {error}") from error
    _check_labels(loss, labels, name)
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert_close(other.value(y, eta), loss.value(y, eta), 0, f"{name}: a copy differs")


def _points(loss, labels, spread=3.0):
    """Pairs (y, eta): all labels with predictors around zero and around each label."""
    rng = np.random.default_rng(0)
    if loss.kind == "multiclass":
        eta = rng.standard_normal((40, len(labels))) * spread
        eta[0], eta[1], eta[1, -1] = 0.0, 0.0, -60.0
        return np.tile(labels, len(eta)), np.repeat(eta, len(labels), axis=0)
    eta = np.concatenate([rng.standard_normal(40) * spread, [0.0, 1e-3, -1e-3]])
    y = np.repeat(labels, len(eta))
    eta = np.tile(eta, len(labels))
    return y, eta + (y if loss.kind == "regression" else 0)


def _inner(v, eta, y):
    return np.sum(v * eta, axis=-1) if eta.ndim > y.ndim else v * eta


def _check_derivatives(loss, y, eta, name):
    gradient, hessian = loss.gradient(y, eta), loss.hessian(y, eta)
    require(gradient.shape == eta.shape, f"{name}: gradient has shape {gradient.shape} for eta {eta.shape}")
    wide, h = loss.kind == "multiclass", 1e-5
    for k, unit in enumerate(np.eye(eta.shape[-1]) if wide else [1.0]):
        up, down = eta + h * unit, eta - h * unit
        slope = (loss.value(y, up) - loss.value(y, down)) / (2 * h)
        assert_close(gradient[..., k] if wide else gradient, slope, 1e-6, f"{name}: gradient is not that of value")
        # where the second derivative jumps, a difference means nothing
        jump = np.abs(loss.hessian(y, eta + 2 * h * unit) - loss.hessian(y, eta - 2 * h * unit)) > 0.1
        bend = (loss.gradient(y, up) - loss.gradient(y, down)) / (2 * h)
        there = hessian[..., k] if wide else hessian
        jump = jump[..., k] if wide else jump
        message = f"{name}: hessian is not the derivative of gradient"
        assert_close(np.where(jump, 0, there), np.where(jump, 0, bend), 1e-6, message)
    if loss.kind in ("regression", "count"):
        there = loss.gradient(loss.inverse_link(eta), eta)
        assert_close(there, np.zeros_like(eta), 1e-12, f"{name}: inverse_link is not where the loss is least")
    if loss.probabilistic:
        p = loss.inverse_link(eta)
        require(bool(np.all((p >= 0) & (p <= 1))), f"{name}: inverse_link is no probability")


def _check_minimum(loss, y, eta, name):
    value = loss.value(y, eta)
    require(value.shape == y.shape, f"{name}: value has shape {value.shape} for y {y.shape}")
    lowest = float(np.min(value))
    require(lowest >= -1e-12, f"{name}: negative value {lowest:.3g}; subtract the saturated value")
    rest = loss.conjugate(y, np.zeros_like(eta))
    assert_close(rest, np.zeros_like(y), 1e-12, f"{name}: the minimum over eta (minus the conjugate at 0) is not 0")


def _check_conjugate(loss, y, eta, name):
    value, v = loss.value(y, eta), loss.gradient(y, eta)
    conjugate = loss.conjugate(y, v)
    require(conjugate.shape == y.shape, f"{name}: conjugate has shape {conjugate.shape} for y {y.shape}")
    message = f"{name}: value + conjugate is not v eta at v = gradient"
    scale = np.maximum(1, np.abs(value) + np.abs(_inner(v, eta, y)))
    assert_close((value + conjugate) / scale, _inner(v, eta, y) / scale, 1e-12, message)
    for label in np.unique(y):  # every v against every eta of the same label
        here = y == label
        vs, etas = v[here], eta[here]
        products = vs @ etas.T if eta.ndim > 1 else np.outer(vs, etas)
        excess = products - value[here][None, :] - conjugate[here][:, None]
        worst = float(np.max(excess / (1 + np.abs(products))))
        require(worst <= 1e-12, f"{name}: conjugate is below v eta - value by {worst:.3g} at y = {label:g}")
    if loss.kind != "multiclass":
        _search_conjugate(loss, np.unique(y), name)
    else:
        off = np.zeros_like(eta)
        off[:, 0] = 0.5
        require(
            bool(np.all(np.isinf(loss.conjugate(y, off)))),
            f"{name}: conjugate is finite where v does not sum to 0",
        )


def _search_conjugate(loss, labels, name):
    """The conjugate at any v against a grid of eta: also that it is inf exactly where the supremum is."""
    grid = np.linspace(-40, 40, 160_001)
    for label in labels:
        y = np.full_like(grid, label)
        value = loss.value(y, grid)
        for v in (-6.0, -1.3, -1.0, -0.7, -0.2, 0.0, 0.3, 1.0, 1.2, 5.0):
            products = v * grid - value
            best, near = float(np.max(products)), float(np.max(products[40_000:-40_000]))
            conjugate = float(loss.conjugate(np.array([label]), np.array([v]))[0])
            what = f"{name}: conjugate({label:g}, {v:g}) = {conjugate:.8g}"
            if best > near + 1e-3:  # still growing at the end of the grid
                require(conjugate > best, f"{what}, but the supremum is over {best:.8g}")
            else:
                require(
                    abs(conjugate - best) <= 1e-6 * max(1, abs(best)),
                    f"{what}, but the supremum is {best:.8g}",
                )


def _check_curvature(loss, y, eta, name):
    if loss.curvature is None:
        return
    hessian = loss.hessian(y, eta)
    if loss.kind == "multiclass":
        hessian = np.linalg.eigvalsh(hessian)
    top, low = float(np.max(hessian)), float(np.min(hessian))
    require(low >= -1e-12, f"{name}: the second derivative {low:.3g} is negative")
    require(
        top <= loss.curvature * (1 + 1e-12),
        f"{name}: second derivative {top:.6g} over curvature {loss.curvature:.6g}",
    )
    require(
        top >= 0.99 * loss.curvature,
        f"{name}: curvature {loss.curvature:.6g} is never reached (most: {top:.6g})",
    )


def _check_extremes(loss, labels, name):
    big = np.array([-1e4, -800.0, -40.0, 40.0, 800.0, 1e4])
    y = np.repeat(labels, len(big))
    eta = np.tile(big, len(labels))
    if loss.kind == "multiclass":
        eta = eta[:, None] * np.array([1.0, -1.0, 0.5])
    for method in ("value", "gradient", "hessian"):
        out = getattr(loss, method)(y, eta)
        require(bool(np.all(np.isfinite(out))), f"{name}: {method} is not finite at extreme eta")


def _everything(loss, y, eta, v):
    return [
        loss.value(y, eta),
        loss.gradient(y, eta),
        loss.hessian(y, eta),
        loss.conjugate(y, v),
        loss.inverse_link(eta),
    ]


def _check_arrays(loss, y, eta, name):
    def everything(*arrays):
        return _everything(loss, *arrays)

    arrays = [y, eta, 0.5 * loss.gradient(y, eta)]
    small = [a.astype(np.float32) for a in arrays]
    for out, wide in zip(everything(*small), everything(*(a.astype(float) for a in small)), strict=True):
        require(out.dtype == np.float32, f"{name}: float32 in, {out.dtype} out")
        finite = np.isfinite(out) & np.isfinite(wide)  # a v at the edge of the domain may round out of it
        assert_close(np.where(finite, out, 0), np.where(finite, wide, 0), 2e-5, f"{name} in float32")
    same_elsewhere(everything, arrays, 1e-13, name)
    same_elsewhere(everything, small, 1e-5, f"{name} in float32")


def _check_labels(loss, labels, name):
    loss.check(labels)
    bad = BAD_LABELS.get(loss.kind)
    if bad is None:
        return
    try:
        loss.check(np.array([bad]), where=" in task 'a'")
    except ValueError as error:
        require("task 'a'" in str(error), f"{name}: the error of check does not name the task: {error}")
    else:
        raise AssertionError(f"{name}: check accepts y = {bad:g}")
