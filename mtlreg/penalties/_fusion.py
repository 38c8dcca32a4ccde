"""Differences between columns of W along the edges of a graph with signs: value, prox and null directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from array_api_compat import array_namespace
from scipy import sparse
from scipy.sparse import csgraph

from mtlreg.kernels import for_array

__all__ = ["Fusion", "build_fusion"]


@dataclass(frozen=True)
class Fusion:
    """``sum_e weights_e sum_j |W_js - signs_e W_jt|`` over edges e = (s, t) between columns of W.

    The prox works on nodes between which all signs are positive: columns, some of them with their sign changed. Where
    no choice of signs does that, every column is there twice, with both signs: the solution is unique and turns its
    sign with its argument, so the two copies stay opposite.

    Attributes
    ----------
    edges, weights, signs : arrays of shape (m, 2), (m,), (m,)
    null : array of shape (n_columns, c)
        Orthonormal basis of what the differences do not see.
    columns, node_signs : arrays of shape (n_nodes,)
        Node k is ``node_signs[k] W[:, columns[k]]``.
    back : array of shape (1 or 2, n_columns)
        The nodes that hold a column.
    links : array of shape (n_links, 2) or None
        Edges between nodes; None: nodes are joined to their neighbours in the order given.
    limits : array of shape (n_links,)
        Weights of the links.
    """

    edges: np.ndarray
    weights: np.ndarray
    signs: np.ndarray
    null: np.ndarray
    columns: np.ndarray
    node_signs: np.ndarray
    back: np.ndarray
    links: np.ndarray | None
    limits: np.ndarray

    def value(self, W):
        """The sum of differences."""
        xp = array_namespace(W)
        return float(xp.sum(self.row_values(W), dtype=xp.float64))

    def row_values(self, W):
        """That of every row of W."""
        xp = array_namespace(W)
        heads, tails = (xp.take(W, xp.asarray(self.edges[:, k]), axis=1) for k in (0, 1))
        differences = xp.abs(heads - xp.asarray(self.signs, dtype=W.dtype) * tails)
        return xp.sum(differences * xp.asarray(self.weights, dtype=W.dtype), axis=1)

    def prox(self, W, strength):
        """Prox of ``strength`` times the sum of differences."""
        xp = array_namespace(W)
        if strength == 0 or not len(self.edges):
            return xp.asarray(W, copy=True)
        kernels, limits = for_array(W), strength * self.limits
        V = self.on_nodes(W)
        V = kernels.fuse_chain(V, limits) if self.links is None else kernels.fuse_graph(V, self.links, limits)
        # the mean of two copies, so that what is fused with its own opposite is zero without rounding
        share = xp.asarray(self.node_signs[self.back] / len(self.back), dtype=W.dtype)
        return sum(share[k, :] * xp.take(V, xp.asarray(nodes), axis=1) for k, nodes in enumerate(self.back))

    def on_nodes(self, W):
        """Columns of W by node, with the signs of the nodes."""
        xp = array_namespace(W)
        return xp.asarray(self.node_signs, dtype=W.dtype) * xp.take(W, xp.asarray(self.columns), axis=1)

    def without_null(self, V):
        """V orthogonal to the null directions, or None if it is not so up to rounding already."""
        xp = array_namespace(V)
        if not self.null.shape[1] or not V.shape[0]:
            return V
        N = xp.asarray(self.null, dtype=V.dtype)
        along = V @ N
        if float(xp.max(xp.abs(along))) > float(xp.finfo(V.dtype).eps) ** 0.5 * float(xp.max(xp.abs(V))):
            return None
        return V - along @ N.T

    def chain_strength(self, V):
        """The smallest strength with V, orthogonal to ``null``, in the dual ball: its flows along a chain."""
        xp = array_namespace(V)
        if not len(self.edges) or not V.shape[0]:
            return 0.0
        joined = np.flatnonzero(self.limits > 0)
        flows = xp.take(xp.cumulative_sum(self.on_nodes(V), axis=1), xp.asarray(joined), axis=1)
        return float(xp.max(xp.abs(flows) / xp.asarray(self.limits[joined], dtype=V.dtype)))


def build_fusion(edges, weights, n_columns):
    """The `Fusion` of a graph; the last ones are kept, for penalties that are used without `bind`.

    Parameters
    ----------
    edges : int array of shape (m, 2)
        Every undirected edge once.
    weights : float array of shape (m,)
        The sign is that in ``|W_js - sign W_jt|``.
    n_columns : int

    Returns
    -------
    Fusion
    """
    return _build(np.asarray(edges, dtype=np.intp).tobytes(), np.asarray(weights, dtype=float).tobytes(), n_columns)


@lru_cache(maxsize=16)
def _build(edges, weights, n_columns):
    edges, weights = np.frombuffer(edges, dtype=np.intp).reshape(-1, 2), np.frombuffer(weights)
    signs, sizes = np.sign(weights), np.abs(weights)
    component, flips, balanced = _balance(edges, signs, n_columns)
    null = (flips * (component == np.flatnonzero(balanced)[:, None])).T  # a column for each balanced component
    null = null / np.linalg.norm(null, axis=0)
    known = (edges, sizes, signs, null)
    columns = np.arange(n_columns)
    if not balanced.all():
        opposite = np.where(signs < 0, n_columns, 0)
        one = np.stack([edges[:, 0], edges[:, 1] + opposite], axis=1)
        two = np.stack([edges[:, 0] + n_columns, edges[:, 1] + n_columns - opposite], axis=1)
        both = np.concatenate([np.ones(n_columns), -np.ones(n_columns)])
        links = np.concatenate([one, two])
        back = np.stack([columns, columns + n_columns])
        return Fusion(*known, np.tile(columns, 2), both, back, links, np.tile(sizes, 2))
    degrees = np.bincount(edges.ravel(), minlength=n_columns)
    if degrees.max(initial=0) <= 2 and len(edges) == n_columns - len(balanced):
        order, limits = _chains(edges, sizes, component, degrees)
        return Fusion(*known, order, flips[order], np.argsort(order)[None], None, limits)
    return Fusion(*known, columns, flips, columns[None], edges, sizes)


def _adjacency(edges, values, n):
    both = np.concatenate([edges, edges[:, ::-1]])
    return sparse.csr_array((np.tile(values, 2), (both[:, 0], both[:, 1])), shape=(n, n))


def _balance(edges, signs, n):
    """Components of the nodes, signs of the nodes that make the edges positive, and for which components they do."""
    graph = _adjacency(edges, signs, n)
    count, component = csgraph.connected_components(graph, directed=False)
    flips = np.ones(n)
    for root in np.unique(component, return_index=True)[1]:
        order, before = csgraph.breadth_first_order(graph, root, directed=False)
        for node in order[1:]:
            flips[node] = flips[before[node]] * graph[before[node], node]
    wrong = flips[edges[:, 0]] * flips[edges[:, 1]] != signs
    return component, flips, ~np.isin(np.arange(count), component[edges[wrong, 0]])


def _chains(edges, sizes, component, degrees):
    """Columns in the order of the paths they form, and the weights between neighbours; 0 between two paths."""
    graph = _adjacency(edges, sizes, len(degrees))
    order = []
    for c in range(component.max() + 1):
        members = np.flatnonzero(component == c)
        end = members[np.argmin(degrees[members])]
        order.extend(csgraph.depth_first_order(graph, end, directed=False, return_predecessors=False).tolist())
    order = np.array(order, dtype=np.intp)
    return order, np.array([graph[s, t] for s, t in zip(order[:-1], order[1:], strict=True)])
