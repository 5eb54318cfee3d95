"""Speculative decoding: guess the next tokens from what was read, have the model judge all guesses at once."""
import numpy as np

from minigpt.reference.generation import next_token_probabilities, repetition_penalty, sample, window_start


def ngram_draft(ids, n_gram, n_draft):
    """Guess how a text goes on: as it did after the last place where its end occurred before.

        (1) g is the largest number, at most n_gram, for which the last g tokens occur earlier too
        (2) i is the last place before the end with ids_i .. ids_{i+g-1} = the last g tokens
        (3) the draft is ids_{i+g} .. , at most n_draft tokens and not beyond the end of the text

    ids: (T,). Returns the draft: (N,) ids, N from 0 (no end of this text occurred before) to n_draft.
    Source: this draft is known as prompt lookup; what is done with it is in `verified`.
    """
    T = len(ids)
    for g in range(min(n_gram, T - 1), 0, -1):
        ends = np.stack([ids[j:T - g + j] for j in range(g)], axis=1)             # (T-g,g)  all g tokens but the last
        found = np.flatnonzero((ends == ids[T - g:]).all(axis=1))
        if len(found):
            after = int(found[-1]) + g                        # (1) (2)
            return ids[after:after + n_draft]                 # (N,)  (3)
    return ids[:0]


def verified(p, draft, u):
    """Keep of a draft what the model accepts, and add one token of its own, so that all are as if drawn from p.

        (4) d_t is accepted if all before it were and u_t < p_t(d_t)
        (5) after n of them: r = p_n, and if n < N, where d_n was refused, without it: r(d_n) = 0
        (6) y = d_0 .. d_{n-1}, and a token drawn from r / sum r with u_N

    Why it is exact: d_t comes out with probability p_t(d_t), another i with (1 - p_t(d_t)) p_t(i) / (1 - p_t(d_t)).
    p: (N+1,V), the probabilities after 0 .. N tokens of the draft. draft: (N,) ids. u: (N+1,) uniform numbers below 1.
    Returns y: (n+1,) ids. Where each row of p is all on one token, y is what would have been chosen without a draft.
    Source: Leviathan et al. 2022, arXiv:2211.17192, for a draft that is certain: q_t(d_t) = 1.
    """
    N = len(draft)
    refused = u[:N] >= p[np.arange(N), draft]                 # (N,)  (4)
    n = int(np.argmax(refused)) if refused.any() else N
    r = p[n].copy()                                           # (V,)
    r[draft[n:n + 1]] = 0                                     # (5)
    return np.append(draft[:n], sample(r / r.sum(), u[N]))    # (n+1,)  (6)


def speculative_tokens(model, ids, *, n_draft=8, n_gram=3, temperature=1.0, top_k=None, top_p=None, penalty=1.0,
                       generator=None, context_length, cache=None):
    """next_tokens, with drafts: the same tokens at temperature 0, and of the same probability at any other.

    Several tokens read at once are rounded otherwise than one by one, the more so the fewer bits the weights have:
    where two tokens are about as likely, this may decide between them.

    model: as for next_tokens, but the last n_draft + 1 positions of its logits are read. n_draft: the most tokens to
    guess at a time. n_gram: the longest end of the text to look for. The other arguments are those of next_tokens.
    With a cache each token is read once, and those that were refused are forgotten.
    Raises ValueError, when the first token is asked for, if ids is empty, or n_draft or n_gram is below 1.
    """
    ids, generator = _checked(np.asarray(ids), n_draft, n_gram), generator or np.random.default_rng()
    chosen, begins = ids[:0], None
    while True:
        start = window_start(len(ids), context_length)
        if cache is not None and begins != start:
            cache.keep(ids[start:])
        room = min(context_length, cache.capacity if cache is not None else context_length) - (len(ids) - start)
        draft = ngram_draft(ids[start:], n_gram, min(n_draft, room))              # (N,)
        tried = np.concatenate([ids[start:], draft])
        logits = model(tried[None]) if cache is None else model(tried[None, cache.length:], cache=cache)
        logits = logits[0, logits.shape[1] - len(draft) - 1:]                     # (N+1,V)
        less = [repetition_penalty(row, np.concatenate([chosen, draft[:t]]), penalty) if penalty != 1 else row
                for t, row in enumerate(logits)]
        p = next_token_probabilities(np.stack(less), temperature=temperature, top_k=top_k, top_p=top_p)  # (N+1,V)
        new = verified(p, draft, generator.random(len(p)))    # (n+1,)
        if cache is not None:
            cache.rewind(len(ids) - start + len(new) - 1)     # all that is accepted has been read, but for the last
        yield from zip(new.tolist(), logits, strict=False)
        ids, chosen, begins = np.append(ids, new), np.append(chosen, new), start


def _checked(ids, n_draft, n_gram):
    for name, value in (("n_draft", n_draft), ("n_gram", n_gram)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1; try 8 for n_draft and 3 for n_gram")
    if not len(ids):
        raise ValueError("nothing to continue: ids is empty; begin with at least one token")
    return ids
