"""One right answer to the exercise attention_kernel.3."""


def sliding_window_tiles(T, window, BLOCK_T, BLOCK_S):
    """(first query, first key, whether it needs a mask) of each tile in which a query sees a key."""
    tiles = []
    for t0 in range(0, T, BLOCK_T):
        last = min(t0 + BLOCK_T, T) - 1
        first_key = max(t0 - window + 1, 0)            # of the first query; the others begin later
        for s0 in range(first_key // BLOCK_S * BLOCK_S, last + 1, BLOCK_S):
            whole = last - window < s0 and s0 + BLOCK_S - 1 <= t0
            tiles.append((t0, s0, not whole))
    return tiles
