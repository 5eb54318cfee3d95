"""Wrong answers to cache_cost."""
from solutions.cache_cost import cache_cost as right

from mistakes import mistake


def with_bytes(*sizes, times=1, over=1):
    found = right(*sizes)
    return found | {"bytes": found["bytes"] * times // over}


@mistake("cache_cost", "only the values are counted; the keys are as many again (equation 8)")
def values_alone(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, over=2)


@mistake("cache_cost", "a key is kept for every query head; there are G key heads (equation 8)")
def all_heads(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, H, C, itemsize)


@mistake("cache_cost", "a key head is taken to be as wide as the model; it has D = C / H numbers (equation 8)")
def as_wide_as_the_model(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, times=H)


@mistake("cache_cost", "one head alone is counted (equation 8)")
def one_head(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, over=G)


@mistake("cache_cost", "one layer alone is counted; each keeps keys and values of its own (equation 8)")
def one_layer(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, over=L)


@mistake("cache_cost", "the cache of one text is counted, not of all B")
def one_text(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, over=B)


@mistake("cache_cost", "numbers are counted, not bytes")
def numbers_for_bytes(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, over=itemsize)


@mistake("cache_cost", "bits are counted, not bytes")
def bits_for_bytes(B, T, L, H, G, C, itemsize):
    return with_bytes(B, T, L, H, G, C, itemsize, times=8)


@mistake("cache_cost", "weights of attention are kept, T by T; they are computed anew (equation 8)")
def weights_kept_too(B, T, L, H, G, C, itemsize):
    found = right(B, T, L, H, G, C, itemsize)
    return found | {"bytes": found["bytes"] + L * B * H * T * T * itemsize}


@mistake("cache_cost", "without a cache T tokens are taken to be read; each step reads all of them again (equation 7)")
def read_once_without(B, T, L, H, G, C, itemsize):
    return right(B, T, L, H, G, C, itemsize) | {"read without": B * T}


@mistake("cache_cost", "without a cache T tokens are taken to be read T times; the first step reads one (equation 7)")
def all_tokens_each_time(B, T, L, H, G, C, itemsize):
    return right(B, T, L, H, G, C, itemsize) | {"read without": B * T * T}


@mistake("cache_cost", "the token of the last step is not counted: 1 + ... + T, not 1 + ... + (T - 1) (equation 7)")
def last_step_missing(B, T, L, H, G, C, itemsize):
    return right(B, T, L, H, G, C, itemsize) | {"read without": B * (T * (T - 1) // 2)}


@mistake("cache_cost", "the tokens of one text are counted as read, not those of all B")
def read_in_one_text(B, T, L, H, G, C, itemsize):
    return right(B, T, L, H, G, C, itemsize) | right(1, T, L, H, G, C, B * itemsize)


@mistake("cache_cost", "with a cache a token is counted once in each layer; all of them read it once (equation 7)")
def read_in_every_layer(B, T, L, H, G, C, itemsize):
    return right(B, T, L, H, G, C, itemsize) | {"read with": B * T * L}
