"""The norms of the penalties and their dual norms, of matrices (p, T): plain NumPy, and none of mtlreg's code."""

from dataclasses import dataclass

import numpy as np

__all__ = ["L1", "L1LINF", "L21", "TRACE", "Dirty", "Norm"]


@dataclass(frozen=True)
class Norm:
    """``value`` of coefficients, ``dual`` norm of gradients, and ``title`` in tables."""

    title: str
    value: object
    dual: object


def row_norms(A):
    return np.sqrt(np.einsum("jt,jt->j", A, A))


def singular_values(A):
    return np.linalg.svd(A, compute_uv=False)


L21 = Norm("l1/l2", lambda W: row_norms(W).sum(), lambda G: row_norms(G).max())
L1 = Norm("l1", lambda W: np.abs(W).sum(), lambda G: np.abs(G).max())
L1LINF = Norm("l1/linf", lambda W: np.abs(W).max(axis=1).sum(), lambda G: np.abs(G).sum(axis=1).max())
TRACE = Norm("trace norm", lambda W: singular_values(W).sum(), lambda G: singular_values(G)[0])


@dataclass(frozen=True)
class Dirty:
    """``min_{B + S = W} c sum_j |B_j|_q + sum_jt |S_jt|`` with c = T^(ratio (1 - 1/q)), for q = 2 or inf.

    The value is that of the best split of W, so that a solver need not tell its own. In a row with entries w there is a
    tau >= 0 with ``|B_t| = min(|w_t|, tau)``, equal to ``|B|_2 / c`` (q = 2) or the least maximum that is worth its
    price (q = inf).
    """

    title: str
    q: float
    ratio: float = 0.5

    def price(self, n_columns):
        return n_columns ** (self.ratio * (1 - 1 / self.q))

    def value(self, W):
        price = self.price(W.shape[1])
        A = -np.sort(-np.abs(W[W.any(axis=1)]), axis=1)  # every row from its largest to its smallest entry
        if not A.size:
            return 0.0
        if np.isinf(self.q):  # one more entry under tau saves less than it costs once `price` of them are above
            tau = A[:, min(int(np.ceil(price)), A.shape[1]) - 1]
            return float(price * tau.sum() + np.maximum(A - tau[:, None], 0.0).sum())
        # price^2 tau^2 = k tau^2 + the squares of the others for the k largest above tau, less than it for any other k
        k = np.arange(int(np.ceil(price**2)))
        others = np.column_stack([np.cumsum(A[:, ::-1] ** 2, axis=1)[:, ::-1], np.zeros(len(A))])
        k = k[k <= A.shape[1]]
        tau = np.sqrt(others[:, k] / (price**2 - k)).min(axis=1)
        B = np.minimum(A, tau[:, None])
        return float(price * row_norms(B).sum() + (A - B).sum())

    def dual(self, G):
        rows = np.abs(G).sum(axis=1) if np.isinf(self.q) else row_norms(G)
        return max(rows.max() / self.price(G.shape[1]), np.abs(G).max())
