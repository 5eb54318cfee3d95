"""Wrong answers to bytes_moved."""
from solutions.bytes_moved import bytes_moved as right

from mistakes import mistake


def more(sizes, *, naive=0, flash=0):
    """The right answer, and so many numbers more, or fewer."""
    found, itemsize = right(*sizes), sizes[-1]
    return {"naive": found["naive"] + naive * itemsize, "flash": found["flash"] + flash * itemsize}


@mistake("bytes_moved", "naive: T x T numbers move twice; scores and weights, each stored and loaded, make four")
def never_loaded_again(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=-2 * T * T)


@mistake("bytes_moved", "naive: T x T numbers move three times; scores and weights are each stored and loaded")
def three_times(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=-T * T)


@mistake("bytes_moved", "naive: q and k are loaded once each; each tile of scores loads its own (equation 9)")
def operands_once(T, D, BLOCK_T, BLOCK_S, itemsize):
    tiles = T // BLOCK_T * (T // BLOCK_S)
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=2 * T * D - tiles * (BLOCK_T + BLOCK_S) * D)


@mistake("bytes_moved", "naive: v is loaded once; each tile of queries loads all of it (equation 9)")
def values_once(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=T * D - T // BLOCK_T * T * D)


@mistake("bytes_moved", "naive: v is loaded for each tile of keys; it is for each tile of queries (equation 9)")
def values_for_each_tile_of_keys(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=(T // BLOCK_S - T // BLOCK_T) * T * D)


@mistake("bytes_moved", "naive: scores and weights alone are counted; q, k, v and y move too")
def scores_and_weights_alone(T, D, BLOCK_T, BLOCK_S, itemsize):
    return right(T, D, BLOCK_T, BLOCK_S, itemsize) | {"naive": 4 * T * T * itemsize}


@mistake("bytes_moved", "naive: y is not stored")
def y_of_naive_forgotten(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), naive=-T * D)


@mistake("bytes_moved", "flash: scores are stored, too; they never leave the chip")
def flash_stores_scores(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), flash=T * T)


@mistake("bytes_moved", "flash: k and v are loaded once for all; each tile of queries loads them again (equation 9)")
def keys_once(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), flash=2 * T * D - 2 * (T // BLOCK_T) * T * D)


@mistake("bytes_moved", "flash: q is loaded again for each tile of keys; it stays on the chip (equation 9)")
def queries_again(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), flash=(T // BLOCK_S - 1) * T * D)


@mistake("bytes_moved", "flash: k and v are loaded for each tile of keys; it is for each of queries (equation 9)")
def keys_for_each_tile_of_keys(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), flash=2 * (T // BLOCK_S - T // BLOCK_T) * T * D)


@mistake("bytes_moved", "flash: only the keys are counted; the values are as many again")
def values_of_flash_forgotten(T, D, BLOCK_T, BLOCK_S, itemsize):
    return more((T, D, BLOCK_T, BLOCK_S, itemsize), flash=-(T // BLOCK_T) * T * D)


@mistake("bytes_moved", "flash: L, one number for each query, is not stored")
def no_log_sum_exp(T, D, BLOCK_T, BLOCK_S, itemsize):
    found = right(T, D, BLOCK_T, BLOCK_S, itemsize)
    return found | {"flash": found["flash"] - 4 * T}


@mistake("bytes_moved", "flash: L takes 4 bytes a number, also where the others take 2")
def log_sum_exp_in_the_dtype(T, D, BLOCK_T, BLOCK_S, itemsize):
    found = right(T, D, BLOCK_T, BLOCK_S, itemsize)
    return found | {"flash": found["flash"] + (itemsize - 4) * T}


@mistake("bytes_moved", "numbers are counted, not bytes (equation 8)")
def numbers_for_bytes(T, D, BLOCK_T, BLOCK_S, itemsize):
    return {name: n // itemsize for name, n in right(T, D, BLOCK_T, BLOCK_S, itemsize).items()}
