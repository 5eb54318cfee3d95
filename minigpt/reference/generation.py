"""Generation: from scores to a choice, token after token."""
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
        temperature, top_k = 1.0, 1
    p, _ = softmax_forward(logits / temperature)              # (..., V)  (1)
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


def generate(model, ids, *, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, stop_ids=(),
             context_length):
    """Continue a sequence, one token at a time; an iterator of the new ids, each as soon as it is chosen.

    model: function, ids (1,T) -> logits (1,T,V). ids: the beginning, at least one token. stop_ids: tokens that
    end the text; they are not yielded. generator: np.random.Generator; None makes one that differs every time.
    context_length: the most tokens that the model takes. Of a longer text it sees the last ones only, as if the
    text began there.
    Raises ValueError, when the first token is asked for, if ids is empty.
    """
    ids, generator = np.asarray(ids), generator or np.random.default_rng()
    if not ids.size:
        raise ValueError("nothing to continue: ids is empty; begin with at least one token")
    for _ in range(max_new_tokens):
        logits = model(ids[None, -context_length:])           # (1,T,V)
        p = next_token_probabilities(logits[0, -1], temperature=temperature, top_k=top_k, top_p=top_p)    # (V,)
        new = int(sample(p, generator.random()))
        if new in stop_ids:
            return
        yield new
        ids = np.append(ids, new)                             # (T + 1,)


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
