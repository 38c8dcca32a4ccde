"""Norms of nested groups of entries inside a row, for any array-API library: the plain reference.

Groups come as one array: group k has the columns ``members[starts[k]:starts[k + 1]]``, and stands after the groups
inside it.
"""

from array_api_compat import array_namespace

from mtlreg.kernels.generic.rows import row_norms

__all__ = ["group_norms", "shrink_groups"]


def group_norms(V, starts, members, weights):
    """``sum_k weights_k |V_j,group k|_2`` of every row.

    Parameters
    ----------
    V : array of shape (p, C)
    starts : int array of shape (K + 1,)
    members : int array
    weights : array-like of shape (K,)

    Returns
    -------
    norms : array of shape (p,)
    """
    xp = array_namespace(V)
    total = xp.zeros(V.shape[0], dtype=V.dtype)
    for k, weight in enumerate(weights):
        group = xp.asarray(members[starts[k] : starts[k + 1]])
        total = total + float(weight) * row_norms(xp.take(V, group, axis=1), 2)
    return total


def shrink_groups(V, starts, members, weights):
    """Prox of ``sum_k weights_k |V_j,group k|_2`` for nested groups: shrink one after the other, inner ones first.

    Parameters
    ----------
    V : array of shape (p, C)
        Not modified.
    starts, members, weights
        As in `group_norms`.

    Returns
    -------
    U : array of shape (p, C), dtype of V

    References
    ----------
    Jenatton, Mairal, Obozinski & Bach (2011), Proximal methods for hierarchical sparse coding, JMLR 12, theorem 1.
    """
    xp = array_namespace(V)
    columns = xp.arange(V.shape[1])
    for k, weight in enumerate(weights):
        group = xp.asarray(members[starts[k] : starts[k + 1]])
        norms = row_norms(xp.take(V, group, axis=1), 2)
        limit = min(float(weight), float(xp.finfo(V.dtype).max))
        factors = xp.maximum(norms - limit, 0.0) / xp.where(norms > 0, norms, 1.0)
        inside = xp.any(columns[:, None] == group[None, :], axis=1)
        V = xp.where(inside[None, :], V * factors[:, None], V)
    return xp.asarray(V, copy=True)
