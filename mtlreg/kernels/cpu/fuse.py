"""Differences of entries inside a row on the CPU: Numba versions of `mtlreg.kernels.generic.fuse`.

Both are exact after finitely many steps. Arithmetic is in float64, whatever the dtype of the array.
"""

import numpy as np
from numba import njit

__all__ = ["fuse_chain", "fuse_graph"]

ROUNDING = 1e-15


def fuse_chain(V, limits):
    """Prox of weighted total variation; see `mtlreg.kernels.generic.fuse.fuse_chain`."""
    U = np.array(V, order="C")
    if U.shape[1] > 1:
        _fuse_chains(U, np.ascontiguousarray(limits, dtype=np.float64))
    return U


def fuse_graph(V, edges, limits):
    """Prox of total variation on a graph; see `mtlreg.kernels.generic.fuse.fuse_graph`.

    Divide and conquer by minimum cuts: a set of nodes either has one value, its mean, or is cut in two, one above and
    one below the mean, by a maximum flow; the edges of the cut are then at their limits.

    References
    ----------
    Chambolle & Darbon (2009), On total variation minimization and surface evolution using parametric maximum flows,
    IJCV 84, section 4; Dinic's algorithm for the flows.
    """
    U = np.array(V, order="C")
    if len(edges):
        n, m = U.shape[1], len(edges)
        tails = np.concatenate([edges[:, 0], edges[:, 1]])
        order = np.argsort(tails, kind="stable")  # arcs by tail; arc k of edge e is e or e + m
        first = np.concatenate([[0], np.cumsum(np.bincount(tails, minlength=n))])
        position = np.empty(2 * m, dtype=np.int64)
        position[order] = np.arange(2 * m)
        twins = position[(order + m) % (2 * m)]
        heads = np.concatenate([edges[:, 1], edges[:, 0]])[order]
        capacity = np.asarray(limits, dtype=np.float64)[order % m]
        _fuse_graphs(U, first.astype(np.int64), heads.astype(np.int64), twins, capacity)
    return U


# -- chains


@njit(cache=True)
def _fuse_chains(U, limits):
    n = U.shape[1]
    v, x = np.empty(n), np.empty(n)
    low, high = np.empty(n), np.empty(n)
    knots = np.empty((3, 2 * n))
    for j in range(U.shape[0]):
        for t in range(n):
            v[t] = U[j, t]
        _fuse_chain_row(v, limits, x, low, high, knots)
        _average_runs(v, limits, x)
        for t in range(n):
            U[j, t] = x[t]


@njit(cache=True)
def _fuse_chain_row(v, limits, x, low, high, knots):
    """Johnson's dynamic programme on one row; ``knots`` holds positions, jumps of the slope and of the intercept.

    Between knots the derivative is ``slope b + intercept``; both are followed from the outer ends inwards only as far
    as the edge's limit clips, which takes every knot away at most once: O(C) in all.
    """
    n = v.size
    middle, cap = 0.5 * (v.max() + v.min()), 0.5 * n * (v.max() - v.min())
    position, slopes, intercepts = knots[0], knots[1], knots[2]
    left, right, clip = n, n - 1, 0.0
    for t in range(n):
        y = v[t] - middle
        limit = min(limits[t], cap) if t < n - 1 else 0.0
        a, c = 1.0, -clip - y
        while left <= right and a * position[left] + c <= -limit:
            a += slopes[left]
            c += intercepts[left]
            left += 1
        low[t] = (-limit - c) / a
        if t == n - 1:
            break
        b, d = 1.0, clip - y
        while right >= left and b * position[right] + d >= limit:
            b -= slopes[right]
            d -= intercepts[right]
            right -= 1
        high[t] = (limit - d) / b
        left -= 1
        position[left], slopes[left], intercepts[left] = low[t], a, c + limit
        right += 1
        position[right], slopes[right], intercepts[right] = high[t], -b, limit - d
        clip = limit
    x[n - 1] = low[n - 1]
    for t in range(n - 2, -1, -1):
        x[t] = min(max(x[t + 1], low[t]), high[t])


@njit(cache=True)
def _average_runs(v, limits, x):
    """Values of the runs of equal entries computed afresh: their mean, moved by the edges at both ends."""
    n, start, before = v.size, 0, 0.0
    while start < n:
        stop, total = start + 1, v[start] - before
        while stop < n and x[stop] == x[start]:
            total += v[stop]
            stop += 1
        before = 0.0
        if stop < n:
            before = limits[stop - 1] if x[start] > x[stop] else -limits[stop - 1]
        value = (total - before) / (stop - start)
        for t in range(start, stop):
            x[t] = value
        start, before = stop, -before


# -- graphs


@njit(cache=True)
def _fuse_graphs(U, first, heads, twins, capacity):
    n = U.shape[1]
    v, excess, residual = np.empty(n), np.empty(n), np.empty(heads.size)
    nodes, block, ends = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    level, queue, arc, path = (
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
    )
    for j in range(U.shape[0]):
        for i in range(n):
            v[i], nodes[i], block[i] = U[j, i], i, 0
        size = ROUNDING * n * max(v.max() - v.min(), 0.0)
        start, ends[0] = 0, n
        while start < n:
            stop = ends[start]
            mean = 0.0
            for k in range(start, stop):
                mean += v[nodes[k]] / (stop - start)
            for k in range(start, stop):
                i = nodes[k]
                excess[i] = v[i] - mean
                for a in range(first[i], first[i + 1]):
                    residual[a] = capacity[a]
            _route(nodes[start:stop], block, excess, residual, first, heads, twins, size, level, queue, arc, path)
            middle = _split(nodes, start, stop, level, block, v, first, heads, capacity)
            if middle == start or middle == stop:
                for k in range(start, stop):
                    U[j, nodes[k]] = mean
                start = stop
            else:
                ends[start], ends[middle] = middle, stop


@njit(cache=True)
def _split(nodes, start, stop, level, block, v, first, heads, capacity):
    """Move the nodes reached in front of the others, and take the edges between the two at their limits."""
    middle = start
    for k in range(start, stop):
        if level[nodes[k]] >= 0:
            nodes[k], nodes[middle] = nodes[middle], nodes[k]
            middle += 1
    if middle == start or middle == stop:
        return middle
    number = block[nodes[start]]
    for k in range(start, middle):
        i = nodes[k]
        for a in range(first[i], first[i + 1]):
            other = heads[a]
            if block[other] == number and level[other] < 0:
                v[i] -= capacity[a]
                v[other] += capacity[a]
    for k in range(middle, stop):  # the name of a block is the place of its first node, which no other block shares
        block[nodes[k]] = middle
    return middle


@njit(cache=True)
def _route(nodes, block, excess, residual, first, heads, twins, size, level, queue, arc, path):
    """Route positive excess to negative along the edges inside a block; ``level`` ends up >= 0 where excess is left
    over or can still get to."""
    number = block[nodes[0]]
    while _find_levels(nodes, number, block, excess, residual, first, heads, size, level, queue):
        for i in nodes:
            arc[i] = first[i]
        for source in nodes:
            if level[source] == 0:
                _push(source, number, block, excess, residual, first, heads, twins, size, level, arc, path)


@njit(cache=True)
def _find_levels(nodes, number, block, excess, residual, first, heads, size, level, queue):
    """Distances from the nodes of positive excess (-1: out of reach); whether one of negative excess is reached."""
    tail, found = 0, False
    for i in nodes:
        level[i] = -1
        if excess[i] > size:
            level[i] = 0
            queue[tail] = i
            tail += 1
    k = 0
    while k < tail:
        i = queue[k]
        k += 1
        for a in range(first[i], first[i + 1]):
            other = heads[a]
            if residual[a] > 0.0 and block[other] == number and level[other] < 0:
                level[other] = level[i] + 1
                found = found or excess[other] < -size
                queue[tail] = other
                tail += 1
    return found


@njit(cache=True)
def _push(source, number, block, excess, residual, first, heads, twins, size, level, arc, path):
    """Depth-first search along rising levels until the excess of ``source`` is routed or cannot be; ``arc`` is each
    node's next arc to try."""
    depth, node = 0, source
    while excess[source] > size:
        if excess[node] < -size:
            amount = min(excess[source], -excess[node])
            for k in range(depth):
                amount = min(amount, residual[path[k]])
            for k in range(depth):
                residual[path[k]] -= amount
                residual[twins[path[k]]] += amount
            excess[source] -= amount
            excess[node] += amount
            depth, node = 0, source
            continue
        while arc[node] < first[node + 1]:
            other = heads[arc[node]]
            if residual[arc[node]] > 0.0 and block[other] == number and level[other] == level[node] + 1:
                break
            arc[node] += 1
        if arc[node] < first[node + 1]:
            path[depth] = arc[node]
            depth += 1
            node = heads[arc[node]]
        elif depth == 0:
            return
        else:
            depth -= 1
            node = heads[twins[path[depth]]]
            arc[node] += 1
