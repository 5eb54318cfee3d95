"""One right answer to the exercise attention_kernel.4."""


def bytes_moved(T, D, BLOCK_T, BLOCK_S, itemsize):
    """(8) the bytes of what a tile loads and stores, (9) times how many tiles there are."""
    rows, columns = T // BLOCK_T, T // BLOCK_S                    # (9)
    operands = rows * columns * (BLOCK_T + BLOCK_S) * D           # (8) q and k, for each tile of scores
    values = rows * T * D                                         # all of v, for each tile of queries
    naive = operands + 4 * T * T + values + T * D                 # scores and weights, each stored and loaded; y
    flash = T * D + 2 * values + T * D                            # q; all of k and v for each tile of queries; y
    return {"naive": naive * itemsize, "flash": flash * itemsize + 4 * T}         # and L
