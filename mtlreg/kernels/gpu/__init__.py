"""Kernels for CuPy arrays: CUDA where that takes fewer passes than the array-API reference, which does the rest."""

from mtlreg.kernels.generic import *  # noqa: F403
from mtlreg.kernels.gpu.fuse import *  # noqa: F403
from mtlreg.kernels.gpu.groups import *  # noqa: F403
from mtlreg.kernels.gpu.losses import *  # noqa: F403
from mtlreg.kernels.gpu.rows import *  # noqa: F403
from mtlreg.kernels.gpu.spectral import *  # noqa: F403
from mtlreg.kernels.gpu.stacked import *  # noqa: F403
from mtlreg.kernels.gpu.steps import *  # noqa: F403
