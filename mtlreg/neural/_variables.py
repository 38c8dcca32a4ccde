"""All weights of a net in one flat array, with a view of it for every name."""

from __future__ import annotations

import math

from array_api_compat import array_namespace

__all__ = ["Variables"]


class Variables:
    """Named arrays that share one flat vector, so that an optimiser needs to see only that.

    Parameters
    ----------
    shapes : dict
        ``{name: shape}``.
    flat : array (n,)
        The vector.
    """

    def __init__(self, shapes, flat):
        self.shapes, self.flat, self.dtype = shapes, flat, flat.dtype
        self.xp = array_namespace(flat)
        self.slices, start = {}, 0
        for name, shape in shapes.items():
            self.slices[name] = slice(start, start + math.prod(shape))
            start = self.slices[name].stop
        self._views = {name: self.xp.reshape(flat[at], shapes[name]) for name, at in self.slices.items()}

    @classmethod
    def zeros(cls, shapes, xp, dtype):
        """All variables at zero."""
        return cls(shapes, xp.zeros(sum(math.prod(shape) for shape in shapes.values()), dtype=dtype))

    def __getitem__(self, name):
        return self._views[name]

    def __setitem__(self, name, value):
        self._views[name][...] = value

    def __iter__(self):
        return iter(self._views)

    def __reduce__(self):
        return Variables, (self.shapes, self.flat)  # views of an unpickled vector have to be made anew

    def copy(self):
        """The same values in a vector of their own."""
        return Variables(self.shapes, self.xp.asarray(self.flat, copy=True))
