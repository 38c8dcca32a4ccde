"""Numba kernels for NumPy arrays; names not overridden here are the reference's."""

from mtlreg.kernels.cpu.descent import *  # noqa: F403
from mtlreg.kernels.cpu.fuse import *  # noqa: F403
from mtlreg.kernels.cpu.groups import *  # noqa: F403
from mtlreg.kernels.cpu.rows import *  # noqa: F403
from mtlreg.kernels.cpu.select import *  # noqa: F403
from mtlreg.kernels.cpu.spectral import *  # noqa: F403
from mtlreg.kernels.cpu.stacked import *  # noqa: F403
from mtlreg.kernels.cpu.task_rows import *  # noqa: F403
from mtlreg.kernels.cpu.weighted import *  # noqa: F403
from mtlreg.kernels.generic.losses import *  # noqa: F403
from mtlreg.kernels.generic.steps import *  # noqa: F403
