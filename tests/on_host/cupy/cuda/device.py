"""The one device."""

__all__ = ["Device"]


class Device:
    """The device with the number 0, whatever is asked for."""

    id = 0
    mem_info = (10**9, 10**9)  # free and total bytes

    def __init__(self, device=None):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __eq__(self, other):
        return isinstance(other, Device)

    def __hash__(self):
        return self.id
