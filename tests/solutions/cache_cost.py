"""One right answer to the exercise generation.5."""


def cache_cost(B, T, L, H, G, C, itemsize):
    """(7) tokens that are read, without a cache and with one; (8) what the cache keeps of them."""
    width = G * (C // H)                                          # numbers in the keys of one token, in one layer
    return {"read without": B * (T * (T + 1) // 2), "read with": B * T, "bytes": 2 * width * L * B * T * itemsize}
