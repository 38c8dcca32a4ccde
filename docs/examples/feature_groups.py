"""A penalty that takes groups of features into the model, for all tasks, or leaves them out."""

from dataclasses import dataclass, field

import numpy as np
from array_api_compat import array_namespace

from mtlreg.penalties import HomogeneousPenalty


@dataclass(eq=False, repr=False)
class FeatureGroups(HomogeneousPenalty):
    """``Omega(W) = alpha sum_g |W_g|_F + (alpha_ridge / 2) |W|_F^2``, W_g the rows of group g.

    Parameters
    ----------
    groups : list of length n_features
        The group of each feature.
    alpha : float, default=1.0
    alpha_ridge : float, default=0.0
    """

    groups: list = field(default_factory=list)
    alpha: float = 1.0
    alpha_ridge: float = 0.0

    def _norms(self, W):
        """Norm of every group, and the matrix (n_groups, n_features) that says what belongs to it."""
        xp = array_namespace(W)
        member = xp.asarray(np.unique(self.groups)[:, None] == np.asarray(self.groups))
        member = xp.astype(member, W.dtype)
        return xp.sqrt(member @ xp.sum(W * W, axis=1)), member

    def norm_value(self, W):
        norms, _ = self._norms(W)
        return self.alpha * float(array_namespace(W).sum(norms))

    def norm_prox(self, W, step):
        xp = array_namespace(W)
        norms, member = self._norms(W)
        kept = xp.clip(norms - step * self.alpha, min=0.0) / xp.where(norms > 0, norms, 1.0)
        return W * (kept @ member)[:, None]
