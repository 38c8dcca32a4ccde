"""Penalties: what the tasks are assumed to share."""

from mtlreg.penalties._base import HomogeneousPenalty, Penalty
from mtlreg.penalties.clusters import ClusterNorm, SpectralBoxNorm
from mtlreg.penalties.combinators import Chain, InfimalConvolution, Transposed
from mtlreg.penalties.concave import BlockLog, BlockMCP, BlockPower, BlockSCAD, CappedL1
from mtlreg.penalties.concave_fused import FusedSqrt, SqrtL1Fused
from mtlreg.penalties.differences import GraphFused, TotalVariation
from mtlreg.penalties.dirty import Dirty
from mtlreg.penalties.quadratic import Coupled, Graph, MeanRegularized, TemporalSmooth
from mtlreg.penalties.rows import L1, L21, L1Linf, L1Lq, SparseGroup
from mtlreg.penalties.spectral import SquaredTraceNorm, TraceBall, TraceNorm
from mtlreg.penalties.tree import TreeGroups
from mtlreg.penalties.weighted import RowWeighted

__all__ = [
    "L1",
    "L1Linf",
    "L1Lq",
    "L21",
    "BlockLog",
    "BlockMCP",
    "BlockPower",
    "BlockSCAD",
    "CappedL1",
    "Chain",
    "ClusterNorm",
    "Coupled",
    "Dirty",
    "FusedSqrt",
    "Graph",
    "GraphFused",
    "HomogeneousPenalty",
    "InfimalConvolution",
    "MeanRegularized",
    "Penalty",
    "RowWeighted",
    "SparseGroup",
    "SpectralBoxNorm",
    "SqrtL1Fused",
    "SquaredTraceNorm",
    "TemporalSmooth",
    "TotalVariation",
    "TraceBall",
    "TraceNorm",
    "Transposed",
    "TreeGroups",
]
