"""NumPy versions with the loops, tiles and masks of the kernels: the same function, computed as a GPU does it."""
