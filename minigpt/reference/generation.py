"""Generation: from scores to a choice, token after token."""
from itertools import islice

import numpy as np

from minigpt.reference.softmax import softmax_forward

GREEDY = 1e-6    # a temperature below this is taken as 0: dividing by it could overflow


def next_token_probabilities(logits, *, temperature=1.0, top_k=None, top_p=None):
    """The distribution to draw the next token from; the three options act in this order.

        (1) p_i = exp(logit_i / temperature) / sum_j exp(logit_j / temperature)
        (2) top_k: p_i = 0 but for the k largest; of equal ones, the lowest ids stay
        (3) top_p: p_i = 0 but for the fewest of the largest whose sum reaches top_p, counting what (2) left as 1
        (4) p_i = p_i / sum_j p_j

    logits: (..., V). temperature: 0 puts all on the largest logit, the first if several are.
    Returns p: (..., V) probabilities.
    Raises ValueError for options out of range, and for logits that are NaN, +inf, or all -inf.
    Source: top_k, Fan et al. 2018, arXiv:1805.04833; top_p, Holtzman et al. 2019, arXiv:1904.09751.
    """
    _require(logits, temperature, top_k, top_p)
    if temperature < GREEDY:
        best, y = np.argmax(logits, axis=-1)[..., None], np.zeros_like(logits)    # (..., 1)  the first of the largest
        np.put_along_axis(y, best, 1, axis=-1)
        return y
    p, _ = softmax_forward(logits / temperature)              # (..., V)  (1)
    if top_k is None and top_p is None:
        return p
    order = np.argsort(-logits, axis=-1, kind="stable")       # (..., V)  ids, from the most probable down
    p = np.take_along_axis(p, order, axis=-1)                 # (..., V)
    if top_k is not None:
        p = np.where(np.arange(p.shape[-1]) < top_k, p, 0)    # (2)
        p = p / p.sum(axis=-1, keepdims=True)
    if top_p is not None and top_p < 1:
        before = np.cumsum(p, axis=-1) - p                    # (..., V)  the sum of those more probable
        p = np.where(before < top_p, p, 0)                    # (3)
    p = p / p.sum(axis=-1, keepdims=True)                     # (4)
    y = np.empty_like(p)
    np.put_along_axis(y, order, p, axis=-1)                   # (..., V)  in the order of ids again
    return y


def sample(p, u):
    """The token at which the running sum of probabilities passes u.

        (5) i = the first with p_0 + ... + p_i > u             (so i has probability p_i, if u is uniform)

    p: (..., V) probabilities; u: (...) uniform numbers, at least 0 and below 1.
    Returns ids: (...) integers; never one of probability 0.
    """
    total = np.cumsum(p, axis=-1)                             # (..., V)
    last = total[..., -1:]                                    # (..., 1)  1, but for rounding
    u = np.asarray(u, dtype=p.dtype)[..., None]               # (..., 1)
    passed = total > u * last                                 # (..., V)
    return np.argmax(passed | (total == last), axis=-1)       # (...)  (5)


def repetition_penalty(logits, ids, penalty):
    """Logits in which the tokens that a text has already are less likely.

        (6) logit_i = logit_i / penalty where it is positive, logit_i * penalty where not    (for i in ids)

    logits: (...,V); ids: (...,N) integers, the tokens so far, in any number. penalty: 1 changes nothing, 1.2 is usual.
    Returns logits: (...,V).
    Raises ValueError for a penalty that is not positive.
    Source: Keskar et al. 2019, arXiv:1909.05858, section 4.1. They divide always, which makes a token with a negative
    logit likelier; published code multiplies those.
    """
    if not 0 < penalty < np.inf:
        raise ValueError(f"repetition_penalty={penalty} must be greater than 0; 1 changes nothing, try 1.2")
    seen = np.zeros(logits.shape, dtype=bool)                                     # (...,V)
    np.put_along_axis(seen, ids, True, axis=-1)
    less = np.where(logits > 0, logits / penalty, logits * penalty)               # (...,V)  (6)
    return np.where(seen, less, logits)


def next_tokens(model, ids, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, generator=None, context_length,
                cache=None):
    """The tokens that a model chooses, each as (id, logits (V,)); an iterator, without an end unless its user has one.

    model: function ids (1,T), cache -> logits (1,T,V), of which the last are read; without a cache it gets the ids
    alone. ids: the beginning, at least one token.
    penalty: that of repetition_penalty, for the tokens that were chosen before.
    generator: np.random.Generator; None makes one that differs every time.
    context_length: the most tokens that the model takes. A longer text loses its beginning, half a context at a time
    (see window_start), and the model sees the rest as if the text began there.
    cache: a KVCache for one text. What it holds of the beginning is not read again, and then every token once.
    Raises ValueError, when the first token is asked for, if ids is empty.
    """
    ids, generator = np.asarray(ids), generator or np.random.default_rng()
    if not ids.size:
        raise ValueError("nothing to continue: ids is empty; begin with at least one token")
    chosen, start = ids[:0], None
    while True:
        begins, start = start, window_start(len(ids), context_length)
        if cache is not None and begins != start:
            cache.keep(ids[start:])
        logits = (model(ids[None, start:]) if cache is None else
                  model(ids[None, start + cache.length:], cache=cache))           # (1,T,V)
        logits = logits[0, -1]                                                    # (V,)
        less = repetition_penalty(logits, chosen, penalty) if penalty != 1 else logits
        p = next_token_probabilities(less, temperature=temperature, top_k=top_k, top_p=top_p)          # (V,)
        new = int(sample(p, generator.random()))
        yield new, logits
        ids, chosen = np.append(ids, new), np.append(chosen, new)                 # (T + 1,)


def window_start(n, context_length):
    """How many of n tokens lie before what the model sees: none, or as few halves of a context as make the rest fit.

    A window that moved by one token would give every token another position, and nothing could be kept.
    """
    half, over = (context_length + 1) // 2, n - context_length
    return -(-over // half) * half if over > 0 else 0


def generate(model, ids, *, max_new_tokens, stop_ids=(), **options):
    """Continue a text, one token at a time; an iterator of the new ids, each as soon as it is chosen.

    stop_ids: tokens that end the text; they are not yielded. options: of next_tokens, which see.
    """
    tokens = next_tokens(model, ids, **options)
    for new, _ in islice(tokens, max_new_tokens):
        if new in stop_ids:
            return
        yield new


def _require(logits, temperature, top_k, top_p):
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature={temperature} must be at least 0; 0 always takes the likeliest token, try 0.8")
    if top_k is not None and not top_k >= 1:
        raise ValueError(f"top_k={top_k} must be at least 1; leave it out to keep all tokens")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must lie above 0 and at most at 1; leave it out to keep all tokens")
    largest = logits.max(axis=-1)                             # NaN if one is
    if not np.isfinite(largest).all():
        raise ValueError(f"the largest logit is {largest[~np.isfinite(largest)].flat[0]}: no distribution to draw "
                         f"from; did training diverge? Take an earlier checkpoint, or a lower learning rate")
