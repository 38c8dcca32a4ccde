"""Weighted losses of all labels, for any array-API library: the plain reference.

A label has one predictor, or K of them on a last axis of their own (softmax): ``eta`` is shaped like ``y`` but for that
axis. ``weights`` is shaped like ``y``, or has a last axis of length one, whose weight is that of a whole row.
"""

from array_api_compat import array_namespace

__all__ = ["conjugate_sum", "loss_derivative", "loss_sum"]


def loss_derivative(loss, y, eta, weights):
    """``weights_i dl / d eta`` at ``(y_i, eta_i)``, by every predictor.

    Parameters
    ----------
    loss : Loss
    y, eta, weights : arrays
        Not modified.

    Returns
    -------
    u : array, shaped like eta
    """
    return (weights if eta.ndim == y.ndim else weights[..., None]) * loss.gradient(y, eta)


def loss_sum(loss, y, eta, weights):
    """``sum_i weights_i l(y_i, eta_i)``, in float64; parameters as in `loss_derivative`.

    Returns
    -------
    total : float64 array of shape ()
    """
    xp = array_namespace(eta)
    return xp.sum(weights * loss.value(y, eta), dtype=xp.float64)


def conjugate_sum(loss, y, v, weights):
    """``sum_i weights_i l*(y_i, v_i)``, in float64: infinite if a ``v_i`` is outside of the conjugate's domain.

    Parameters are those of `loss_sum`, with ``v`` in the place of ``eta``.

    Returns
    -------
    total : float64 array of shape ()
    """
    xp = array_namespace(v)
    return xp.sum(weights * loss.conjugate(y, v), dtype=xp.float64)
