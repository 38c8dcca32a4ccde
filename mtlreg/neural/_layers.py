"""Layers of a net, for weights that all tasks share (d, k) and for those that each task has of its own (T, d, k).

Activations are (B, d), those of tasks with weights of their own (T, B, d). Matrix products broadcast over tasks, so
that one text serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["ACTIVATIONS", "affine", "affine_gradients", "stitch", "stitch_gradients"]


def affine(A, W, b):
    """``A W + b``."""
    Z = A @ W
    Z += b
    return Z


def affine_gradients(xp, A, W, D, to_input=True):
    """Gradients by W, b and (if asked for) A, of what has the gradient D by ``A W + b``."""
    by_input = D @ xp.matrix_transpose(W) if to_input else None
    if by_input is not None and A.ndim < by_input.ndim:  # the same input for all tasks
        by_input = xp.sum(by_input, axis=0)
    return xp.matrix_transpose(A) @ D, xp.sum(D, axis=-2, keepdims=True), by_input


def stitch(xp, S, A):
    """``A_t <- sum_s S_ts A_s``: cross-stitch units (Misra, Shrivastava, Gupta & Hebert, 2016, equation 1)."""
    return xp.reshape(S @ xp.reshape(A, (A.shape[0], -1)), A.shape)


def stitch_gradients(xp, S, A, D):
    """Gradients by S and A of what has the gradient D by the stitched activations."""
    flat = xp.reshape(D, (D.shape[0], -1))
    by_S = flat @ xp.matrix_transpose(xp.reshape(A, (A.shape[0], -1)))
    return by_S, xp.reshape(xp.matrix_transpose(S) @ flat, D.shape)


def _relu(xp, Z):
    return xp.maximum(Z, xp.zeros_like(Z[..., :1]))


def _logistic(xp, Z):
    return 0.5 * (1 + xp.tanh(0.5 * Z))


class Activation(NamedTuple):
    """A function of the units, its derivative given its value, and how far from zero weights begin.

    That is uniform between the roots of ``gain / (number of inputs and outputs)`` (Glorot & Bengio, 2010).
    """

    value: Callable
    slope: Callable
    gain: float


ACTIVATIONS = {
    "relu": Activation(_relu, lambda xp, A: xp.astype(A > 0, A.dtype), 6.0),
    "tanh": Activation(lambda xp, Z: xp.tanh(Z), lambda xp, A: 1 - A * A, 6.0),
    "logistic": Activation(_logistic, lambda xp, A: A * (1 - A), 2.0),
    "identity": Activation(lambda xp, Z: Z, lambda xp, A: xp.ones_like(A), 6.0),
}
