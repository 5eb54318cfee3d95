"""What a model must beat: bits per character of held-out text from counting, and from a general compressor.

Both are honest: they see the same training text as the model, and give every held-out character a price.
Bits are per Unicode character of the text as it is passed in; join documents by "\\n" first.
"""
import lzma

import numpy as np


def unigram_bits(train: str, heldout: str) -> float:
    """Bits per held-out character when each is guessed from how often it is in the training text alone."""
    return char_ngram_bits(train, heldout, order=1)


def char_ngram_bits(train: str, heldout: str, order: int = 6) -> float:
    """Bits per held-out character of a character n-gram model with Witten-Bell smoothing.

    bits = -(1/N) sum_i log2 p(x_i | the order - 1 characters before it)
    """
    return float(-np.log2(char_ngram_probabilities(train, heldout, order)).mean())


def char_ngram_probabilities(train: str, heldout: str, order: int = 6) -> np.ndarray:
    """The probability of each held-out character given the held-out characters before it.

    (1) p_0(x) = 1 / V
    (2) p_k(x | c) = (n(c x) + u(c) p_{k-1}(x | c')) / (n(c) + u(c))
        c: the k - 1 characters before x; c': c without its first
        n: counts in the training text; u(c): how many different characters followed c there
    A context that was never seen leaves p_{k-1} as it is; at the beginning of `heldout` contexts are shorter.
    V: the distinct characters of `train`, and one more that stands for all others; p sums to 1 over these.
    heldout: N characters.  Returns (N,) float64.
    Raises ValueError if a text is empty or order < 1.
    Source: Witten and Bell 1991, IEEE Trans. Information Theory 37(4), method C; interpolated as in Chen and
    Goodman 1999, Computer Speech and Language 13(4).
    """
    if not train or not heldout or order < 1:
        raise ValueError(f"{len(train)} characters of training text, {len(heldout)} held out, order={order}; "
                         "each must be at least 1")
    known, x = np.unique(_code_points(train), return_inverse=True)
    y = _look_up(known, _code_points(heldout), missing=len(known))
    V = len(known) + 1
    p = np.full(len(y), 1 / V)                                  # (1)
    c, d = np.zeros_like(x), np.zeros_like(y)    # number of the context of each x and each y; -1: never seen
    for _ in range(min(order, len(x))):
        grams, gram_of_x, counts = np.unique(c * V + x, return_inverse=True, return_counts=True)
        gram_of_y = _look_up(grams, np.where(d < 0, -1, d * V + y), missing=-1)
        p = _witten_bell(p, d, gram_of_y, grams // V, counts)   # (2)
        x, c = x[1:], gram_of_x[:-1]             # a gram is the context of the character after it
        d = np.concatenate(([-1], gram_of_y[:-1]))
    return p


def xz_bits(train: str, heldout: str) -> float:
    """Bits per held-out character that xz needs for it after the training text.

    bits = 8 (|xz(train + heldout)| - |xz(train)|) / N, sizes in bytes, N in characters
    The dictionary is as large as the text, so that xz may refer to any part of it.
    Raises ValueError if `heldout` is empty.
    """
    if not heldout:
        raise ValueError("0 characters held out; at least 1 is needed")
    known, text = train.encode("utf-8"), (train + heldout).encode("utf-8")
    window = min(max(len(text), 1 << 16), 3 << 29)   # xz allows no more than 1.5 GiB
    return 8 * (_xz_size(text, window) - _xz_size(known, window)) / len(heldout)


def _xz_size(data, window):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": window}]
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, filters=filters))


def _witten_bell(p, context, gram, owner, counts):
    """One step of (2): p_{k-1} -> p_k.

    context, gram: (N,) their numbers for each held-out character, -1 = never seen
    owner, counts: (G,) for each gram of the training text its context and how often it is there
    """
    size = max(owner.max(), context.max()) + 1
    u = np.bincount(owner, minlength=size)[context]                      # (N,)
    n = np.bincount(owner, weights=counts, minlength=size)[context]      # (N,)
    count = np.where(gram < 0, 0, counts[gram])                          # (N,)
    seen = (context >= 0) & (u > 0)
    return np.divide(count + u * p, n + u, out=p.copy(), where=seen)


def _code_points(text):
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _look_up(ordered, values, missing):
    """The index in `ordered` of each value; `missing` where it is not there."""
    at = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    return np.where(ordered[at] == values, at, missing)
