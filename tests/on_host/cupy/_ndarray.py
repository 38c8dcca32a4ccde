"""The array of the stand-in: one of NumPy inside, which only what CuPy counts as a read lets out."""

import operator
from types import SimpleNamespace

import numpy as np

__all__ = ["counts", "function", "ndarray", "unwrap", "wrap"]

#: how often the host has waited for a number of the device, and how many kernels of the package were launched
counts = SimpleNamespace(reads=0, launches=0)
OPERANDS = (int, float, complex, np.generic, np.ndarray)  # the last to be refused
#: functions that wait: for the size of their result, or in cuSOLVER for the state of an iteration
WAITING = {"eigh", "eigvalsh", "nonzero", "svd", "unique"}


def wrap(result):
    """What a function of NumPy returns, on the device: a scalar becomes an array without axes."""
    if type(result) is np.ndarray:
        return around(result)
    if isinstance(result, np.generic):
        return around(np.asarray(result))
    if isinstance(result, list | tuple):
        parts = [wrap(a) for a in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result


def unwrap(argument):
    """An argument as NumPy takes it; its own arrays are refused."""
    kind = type(argument)
    if kind is ndarray:
        return argument._on_host
    if kind is list or kind is tuple:
        return kind([unwrap(a) for a in argument])
    if isinstance(argument, np.ndarray):
        raise TypeError(f"Unsupported type {kind}")
    return argument


def around(a):
    """An array around one of NumPy, which is not copied."""
    array = object.__new__(ndarray)
    array._on_host = a
    return array


def function(module, name):
    """A function of NumPy's as one of arrays there."""
    ours, reads = getattr(module, name), name in WAITING

    def called(*arguments, **settings):
        counts.reads += reads
        return wrap(ours(*map(unwrap, arguments), **{key: unwrap(a) for key, a in settings.items()}))

    called.__name__ = called.__qualname__ = name
    return called


def index(key):
    """An index as NumPy takes it. Only this and `ndarray.take` take arrays of NumPy, which CuPy copies there."""
    if isinstance(key, tuple):
        return tuple(index(k) for k in key)
    return key._on_host if type(key) is ndarray else key


def has_mask(key):
    """Whether the shape of what an index selects is not known before the device has counted."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(type(k) is ndarray and k.dtype == bool for k in parts)


class ndarray:  # noqa: N801
    """An array that CuPy would have on a device."""

    __hash__ = None

    def __init__(self, shape, dtype=float, order="C"):
        self._on_host = np.empty(shape, dtype, order)

    def get(self):
        """A copy on the host: a read, and the only way there."""
        counts.reads += 1
        return self._on_host.copy(order="K")

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __index__(self):
        return operator.index(self.get())

    def __float__(self):
        return float(self.get())

    def __repr__(self):
        return repr(self.get())

    def __reduce__(self):
        return around, (self.get(),)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *inputs, **settings):
        if method != "__call__" or settings:
            return NotImplemented
        return wrap(ufunc(*map(unwrap, inputs)))

    def __array_function__(self, function, types, arguments, settings):
        import cupy

        return getattr(cupy, function.__name__)(*arguments, **settings)

    def __len__(self):
        return len(self._on_host)

    def __iter__(self):
        return map(wrap, self._on_host)

    def __getitem__(self, key):
        counts.reads += has_mask(key)
        return wrap(self._on_host[index(key)])

    def __setitem__(self, key, value):
        self._on_host[index(key)] = unwrap(value)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def astype(self, dtype, order="K", copy=True):
        return around(self._on_host.astype(dtype, order, copy=copy))

    def take(self, indices, axis=None):
        return wrap(self._on_host.take(index(indices), axis))

    @property
    def T(self):  # noqa: N802
        return around(self._on_host.T)

    @property
    def flags(self):
        flags = self._on_host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    @property
    def device(self):
        import cupy

        return cupy.cuda.Device()


def _attribute(name):
    return property(lambda self: getattr(self._on_host, name))


def _method(name):
    return function(np.ndarray, name)


def _operator(name):
    ours = getattr(np.ndarray, name)

    def operate(self, other):
        if type(other) is ndarray:
            return wrap(ours(self._on_host, other._on_host))
        return wrap(ours(self._on_host, unwrap(other))) if isinstance(other, OPERANDS) else NotImplemented

    return operate


def _in_place(name):
    function = getattr(operator, name)

    def operate(self, other):
        function(self._on_host, unwrap(other))
        return self

    return operate


for _name in "dtype itemsize nbytes ndim shape size strides".split():
    setattr(ndarray, _name, _attribute(_name))
for _name in "all any argmax argmin argsort copy max mean min prod ravel reshape round sum transpose".split():
    setattr(ndarray, _name, _method(_name))
for _name in "abs invert neg pos".split():
    setattr(ndarray, f"__{_name}__", _method(f"__{_name}__"))
for _name in "eq ge gt le lt ne".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in "add and floordiv matmul mod mul or pow sub truediv xor".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in "add mul pow sub truediv".split():
    setattr(ndarray, f"__i{_name}__", _in_place(f"i{_name}"))
