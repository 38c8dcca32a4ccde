"""Penalties: what the tasks are assumed to share."""

from mtlreg.penalties._base import HomogeneousPenalty, Penalty
from mtlreg.penalties.combinators import Chain, InfimalConvolution, Transposed
from mtlreg.penalties.concave import BlockLog, BlockMCP, BlockPower, BlockSCAD, CappedL1
from mtlreg.penalties.quadratic import Coupled, MeanRegularized, TemporalSmooth
from mtlreg.penalties.rows import L1, L21, L1Linf, L1Lq, SparseGroup

__all__ = [
    "L1",
    "L21",
    "BlockLog",
    "BlockMCP",
    "BlockPower",
    "BlockSCAD",
    "CappedL1",
    "Chain",
    "Coupled",
    "HomogeneousPenalty",
    "InfimalConvolution",
    "L1Linf",
    "L1Lq",
    "MeanRegularized",
    "Penalty",
    "SparseGroup",
    "TemporalSmooth",
    "Transposed",
]
