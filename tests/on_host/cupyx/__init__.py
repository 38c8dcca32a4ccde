"""A stand-in for cupyx: its sparse matrices."""
