"""FISTA as users write it themselves in PyTorch: the method of `benchmarks.peers.fista`, on a GPU where there is one.

In float64, TF32 off, its tensors brought to the device before the clock starts. What is read on the host in a step is
what the method asks for: whether to restart, and whether to stop.
"""

from importlib.metadata import version as version_of
from importlib.util import find_spec
from itertools import count

import numpy as np

from benchmarks.certify import FAMILIES as ALL
from benchmarks.certify import LOGISTIC
from benchmarks.peers import timed
from benchmarks.peers.fista import LADDER, WARM

__all__ = ["FAMILIES", "LADDER", "NAME", "WARM", "available", "on_gpu", "solve", "supports", "version"]

NAME = "FISTA (PyTorch)"
FAMILIES = ("l1", "l21", "l1linf", "trace", "logistic")


def version():
    return version_of("torch")


def available():
    return find_spec("torch") is not None


def on_gpu():
    """Whether it is installed, and finds a GPU."""
    if not available():
        return False
    import torch

    return torch.cuda.is_available()


def supports(problem):
    return isinstance(problem.X, np.ndarray)


def solve(problem, alpha, accuracy):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    X, Y = (torch.as_tensor(np.asarray(a), dtype=torch.float64, device=device) for a in (problem.X, problem.Y))
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def call():
        W = _fista(torch, X, Y, problem, alpha, accuracy)
        wait()
        return W

    wait()
    W, seconds, cpu = timed(call)
    return {"W": W.cpu().numpy(), "seconds": seconds, "cpu": cpu}


def _fista(torch, X, Y, problem, alpha, accuracy):
    m, logistic = problem.size, ALL[problem.family].loss is LOGISTIC
    prox = {"l1": _soft, "l1linf": _clip_rows, "trace": _shrink_singular_values}.get(problem.family, _shrink_rows)
    W = torch.zeros((X.shape[1], Y.shape[1]), dtype=X.dtype, device=X.device)
    lipschitz = _largest_eigenvalue(torch, X) / (4 * m if logistic else m)
    gram = X.T @ X if X.shape[0] >= X.shape[1] and not logistic else None
    moments = X.T @ Y if gram is not None else None

    def gradient(W):
        if gram is not None:
            return (gram @ W - moments) / m
        return X.T @ ((torch.sigmoid(X @ W) if logistic else X @ W) - Y) / m

    Z, momentum = W, 1.0
    for _ in count():
        new = prox(torch, Z - gradient(Z) / lipschitz, alpha / lipschitz)
        step = new - W
        if torch.linalg.norm(step) <= accuracy * torch.linalg.norm(new):
            return new
        if torch.sum((Z - new) * step) > 0:
            momentum = 1.0
        faster = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        W, Z, momentum = new, new + (momentum - 1) / faster * step, faster


def _largest_eigenvalue(torch, X):
    """Of X'X, by power iterations; the margin is for what they miss."""
    v = torch.ones(X.shape[1], dtype=X.dtype, device=X.device)
    for _ in range(50):
        v = X.T @ (X @ (v / torch.linalg.norm(v)))
    return 1.05 * float(torch.linalg.norm(v))


def _soft(torch, V, t):
    return torch.sign(V) * torch.clamp(torch.abs(V) - t, min=0)


def _shrink_rows(torch, V, t):
    norms = torch.linalg.norm(V, dim=1, keepdim=True)
    return V * torch.clamp(1 - t / torch.clamp(norms, min=t), min=0)


def _clip_rows(torch, V, t):
    """The proximal operator of the largest entry: V less its projection on the l1 ball of radius t."""
    ordered = torch.sort(torch.abs(V), dim=1, descending=True).values
    counts = torch.arange(1, V.shape[1] + 1, dtype=V.dtype, device=V.device)
    levels = torch.amax((torch.cumsum(ordered, dim=1) - t) / counts, dim=1, keepdim=True).clamp(min=0)
    return torch.sign(V) * torch.minimum(torch.abs(V), levels)


def _shrink_singular_values(torch, V, t):
    U, s, Vt = torch.linalg.svd(V, full_matrices=False)
    return (U * torch.clamp(s - t, min=0)) @ Vt
