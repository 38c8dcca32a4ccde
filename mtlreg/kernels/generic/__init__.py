"""Array-API reference kernels."""

from mtlreg.kernels.generic.fuse import *  # noqa: F403
from mtlreg.kernels.generic.groups import *  # noqa: F403
from mtlreg.kernels.generic.losses import *  # noqa: F403
from mtlreg.kernels.generic.rows import *  # noqa: F403
from mtlreg.kernels.generic.select import *  # noqa: F403
from mtlreg.kernels.generic.spectral import *  # noqa: F403
from mtlreg.kernels.generic.stacked import *  # noqa: F403
from mtlreg.kernels.generic.steps import *  # noqa: F403
