"""Norms of groups of tasks that form a tree."""

from __future__ import annotations

import copy
import numbers
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from mtlreg.kernels import for_array
from mtlreg.penalties._base import HomogeneousPenalty
from mtlreg.penalties._columns import plain_label, shown_labels, warn_of_unknown
from mtlreg.penalties._structure import plain_columns

__all__ = ["TreeGroups", "linkage_groups", "read_tree"]


@dataclass(eq=False, repr=False)
class TreeGroups(HomogeneousPenalty):
    """``Omega(W) = alpha sum_j sum_v omega_v |W_j,G_v|_2 + (alpha_ridge / 2) |W|_F^2`` over nested groups G_v of tasks.

    Tree-guided group lasso: the closer two tasks are in the tree, the more groups they share, and the more alike are
    the features they use. One group of all tasks is `L21`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, >= 0.
    tree : nested list, list of (labels, weight), or linkage matrix, default=None
        Of task labels. In a nested list such as ``[["a", "b"], ["c"]]`` every list is a group of weight 1, a label is
        none (write ``["c"]`` for it). A list of pairs ``({"a", "b"}, 0.5)`` gives groups with weights >= 0. In both,
        tasks that the data do not have are left out, with a warning. A linkage matrix of SciPy over the tasks in the
        order of ``tasks_``, sorted, has Kim and Xing's weights: a node at height h, relative to the root's, leaves the
        share h of what is above it to its children and takes ``1 - h`` itself, so that the weights above every task add
        up to 1. `task_tree` makes such groups from data. Needed. Every task is in a group with a weight.
    alpha_ridge : float, default=0.0
        Strength of the ridge part, >= 0; absolute, not a ratio.

    References
    ----------
    Kim & Xing (2010), Tree-guided group lasso for multi-task regression with structured sparsity, ICML, section 3.
    """

    alpha: float = 1.0
    tree: Any = None
    alpha_ridge: float = 0.0
    chain_rank = 2
    orders_rows = False
    keyed_by_task = True
    _bound = None  # not a parameter

    def bind(self, columns):
        other = copy.copy(self)
        other._bound = read_tree(self.tree, columns)
        return other

    def _groups(self, W):
        return self._bound or read_tree(self.tree, plain_columns(W.shape[1]))

    def norm_value(self, W):
        starts, members, weights = self._groups(W)
        xp = array_namespace(W)
        norms = for_array(W).group_norms(W, starts, members, weights)
        return float(self.alpha) * float(xp.sum(norms, dtype=xp.float64))

    def norm_prox(self, W, step):
        starts, members, weights = self._groups(W)
        return for_array(W).shrink_groups(W, starts, members, float(self.alpha) * step * weights)

    def check(self):
        super().check()
        if self.tree is None:
            raise ValueError(
                "TreeGroups(tree=None): tree is needed, a nested list of tasks, a list of (tasks, weight) or a linkage "
                "matrix; task_tree makes one from data."
            )


def read_tree(tree, columns):
    """Nested groups of columns of W for a tree of tasks.

    Parameters
    ----------
    tree
        See `TreeGroups`.
    columns : list of (task, class)

    Returns
    -------
    starts : int array of shape (K + 1,)
    members : int array
        Group k has the columns ``members[starts[k]:starts[k + 1]]``; it stands after the groups inside it.
    weights : float array of shape (K,)
        Positive.

    Raises
    ------
    ValueError, TypeError
        Naming ``tree``.
    """
    tasks = list(dict.fromkeys(task for task, _ in columns))
    found = {}
    for labels, weight in _labelled_groups(tree, columns):
        group = frozenset(labels) & frozenset(tasks)
        if group and weight > 0:
            found[group] = found.get(group, 0.0) + weight
    missing = [task for task in tasks if not any(task in group for group in found)]
    if missing:
        raise ValueError(f"tree has no group with a weight for task {shown_labels(missing[:1])}; every task needs one.")
    groups = sorted(found, key=lambda group: (len(group), min(tasks.index(task) for task in group)))
    for small, large in combinations(groups, 2):
        if small & large and not small <= large:
            both = f"[{shown_labels(sorted(small, key=str))}] and [{shown_labels(sorted(large, key=str))}]"
            raise ValueError(f"tree has groups that overlap without one inside the other: {both}.")
    members = [[k for k, (task, _) in enumerate(columns) if task in group] for group in groups]
    starts = np.concatenate([[0], np.cumsum([len(group) for group in members])])
    return starts, np.concatenate(members).astype(np.intp), np.array([found[group] for group in groups])


def linkage_groups(linkage, labels):
    """Groups of labels with Kim and Xing's weights for a linkage matrix of SciPy; those of weight 0 are left out.

    Parameters
    ----------
    linkage : array-like of shape (n - 1, 4)
    labels : list of n labels

    Returns
    -------
    list of (list of labels, weight)
    """
    n = len(labels)
    Z = np.asarray(linkage, dtype=np.float64)
    if Z.shape != (n - 1, 4) or not np.isfinite(Z).all() or (Z < 0).any():
        raise ValueError(
            f"tree must be a linkage matrix of shape ({n - 1}, 4) for {n} tasks, as scipy.cluster.hierarchy.linkage "
            f"gives it; got shape {Z.shape}. Give groups of task labels if tasks may be missing."
        )
    children = Z[:, :2].astype(int)
    if n > 1 and not np.array_equal(np.sort(children.ravel()), np.arange(2 * n - 2)):
        raise ValueError("tree is no linkage matrix: every node but the last is the child of one other.")
    groups = [[label] for label in labels]
    for a, b in children:
        groups.append(groups[a] + groups[b])
    heights = np.concatenate([np.zeros(n), Z[:, 2] / max(Z[:, 2].max(initial=0), 1e-300)])
    left = np.ones(2 * n - 1)  # the product of the heights above a node
    for k in range(n - 2, -1, -1):
        left[children[k]] = left[n + k] * heights[n + k]
    weights = left * (1 - heights)
    return [(group, float(weight)) for group, weight in zip(groups, weights, strict=True) if weight > 0]


def _labelled_groups(tree, columns):
    """(labels, weight) of every group."""
    tasks = list(dict.fromkeys(task for task, _ in columns))
    if hasattr(tree, "__array__"):
        return linkage_groups(tree, tasks)
    if not isinstance(tree, list | tuple):
        raise TypeError(
            "tree must be a nested list of task labels, a list of (labels, weight) or a linkage matrix, got "
            f"{type(tree).__name__}."
        )
    pairs = [entry for entry in tree if isinstance(entry, tuple)]
    groups = [_weighted(*pair) for pair in pairs] if pairs and len(pairs) == len(tree) else _lists(tree)
    named = list(dict.fromkeys(label for labels, _ in groups for label in labels))
    if not set(named) & set(tasks):
        raise ValueError(
            f"tree names none of the tasks: it has {shown_labels(named)}, the data have {shown_labels(tasks)}."
        )
    warn_of_unknown("tree", named, columns)
    return groups


def _weighted(*pair):
    """One group of a list of pairs, checked."""
    if len(pair) != 2 or isinstance(pair[0], str) or not hasattr(pair[0], "__iter__"):
        raise ValueError(f"tree has the entry {pair!r}, which is no pair (labels, weight).")
    labels, weight = pair
    if not isinstance(weight, numbers.Real) or not 0 <= float(weight) < float("inf"):
        raise ValueError(f"tree has the weight {weight!r}; weights are finite numbers >= 0.")
    return [plain_label(label, "tree") for label in labels], float(weight)


def _lists(tree):
    """The groups of a nested list: all labels inside each of its lists."""
    groups, own = [], []
    for entry in tree:
        if isinstance(entry, list | tuple):
            inner = _lists(entry)
            own += inner[-1][0]
            groups += inner
        else:
            own.append(plain_label(entry, "tree"))
    if len(set(own)) < len(own):
        twice = next(label for label in own if own.count(label) > 1)
        raise ValueError(f"tree names task {twice!r} more than once.")
    return [*groups, (own, 1.0)]
