"""Wrong answers to speculation."""
import numpy as np

from minigpt.reference.generation import sample
from minigpt.reference.speculation import ngram_draft, speculative_tokens, verified
from mistakes import mistake


@mistake("ngram_draft", "the first place is taken where the end occurred; take the last (equation 2)")
def the_first_place(ids, n_gram, n_draft):
    ids, T = np.asarray(ids), len(ids)
    for g in range(min(n_gram, T - 1), 0, -1):
        for i in range(T - g):
            if (ids[i:i + g] == ids[T - g:]).all():
                return ids[i + g:i + g + n_draft]
    return ids[:0]


@mistake("ngram_draft", "the shortest end is looked for first; begin with the longest (equation 1)")
def shortest_first(ids, n_gram, n_draft):
    return ngram_draft(ids, 1, n_draft)


@mistake("ngram_draft", "only an end of n_gram tokens is looked for; shorter ones may have occurred (equation 1)")
def longest_only(ids, n_gram, n_draft):
    shorter, longest = ngram_draft(ids, n_gram - 1, n_draft), ngram_draft(ids, n_gram, n_draft)
    ends = [tuple(ids[i:i + n_gram]) for i in range(len(ids) - n_gram)]
    return longest if tuple(ids[len(ids) - n_gram:]) in ends and n_gram < len(ids) else shorter[:0]


@mistake("ngram_draft", "the draft begins with the tokens that were looked for; it begins after them (equation 3)")
def with_what_was_looked_for(ids, n_gram, n_draft):
    found = ngram_draft(ids, n_gram, len(ids) + 1)
    return ids[len(ids) - len(found) - 1:][:n_draft] if len(found) else found


@mistake("ngram_draft", "one token more than n_draft (equation 3)")
def one_too_many(ids, n_gram, n_draft):
    return ngram_draft(ids, n_gram, n_draft + 1)


@mistake("verified", "the draft is accepted where it is the likeliest token; it is where u is below its p (equation 4)")
def likeliest_only(p, draft, u):
    wrong = p[:len(draft)].argmax(axis=1) != draft
    n = int(np.argmax(wrong)) if wrong.any() else len(draft)
    return np.append(draft[:n], sample(p[n], u[-1]))


@mistake("verified", "u at exactly p is accepted, and so a token of probability 0 can be (equation 4)")
def exactly_p_is_accepted(p, draft, u):
    return verified(p, draft, np.append(np.nextafter(u[:-1], -1), u[-1:]))


@mistake("verified", "after a refusal the token is drawn from all of p, the refused one too: it comes out too often "
                     "(equation 5)")
def refused_may_come_again(p, draft, u):
    refused = u[:len(draft)] >= p[np.arange(len(draft)), draft]
    n = int(np.argmax(refused)) if refused.any() else len(draft)
    return np.append(draft[:n], sample(p[n], u[-1]))


@mistake("verified", "every token that passes by itself is kept; after a refusal those behind it are worth nothing "
                     "(equation 4)")
def goes_on_after_a_refusal(p, draft, u):
    passed = u[:len(draft)] < p[np.arange(len(draft)), draft]
    return np.append(draft[passed], verified(p, draft, u)[-1])


@mistake("verified", "nothing is drawn where all of the draft is accepted; the last row gives one more (equation 6)")
def no_token_of_its_own(p, draft, u):
    y = verified(p, draft, u)
    return y[:len(draft)] if len(draft) else y


@mistake("verified", "the token of its own comes from the last row; take the row of the refusal (equation 5)")
def from_the_last_row(p, draft, u):
    y = verified(p, draft, u)
    return y if len(y) > len(draft) else np.append(y[:-1], sample(p[-1], u[-1]))


@mistake("verified", "all of the draft is kept, whatever the model says of it (equation 4)")
def all_is_accepted(p, draft, u):
    return verified(p, draft, np.append(np.full(len(draft), -1.0), u[-1:]))


@mistake("verified", "the row after the draft's token judges it; the one before it does (equation 4)")
def judged_one_row_late(p, draft, u):
    return verified(np.concatenate([p[1:], p[-1:]]), draft, u)


@mistake("verified", "the number that refused is used again to draw; then the two hang together (equation 6)")
def one_number_for_both(p, draft, u):
    y = verified(p, draft, u)
    return y if len(y) > len(draft) else verified(p, draft, np.append(u[:-1], u[len(y) - 1]))


@mistake("verified", "p is written over: an input must be left as it was")
def writes_into_p(p, draft, u):
    y = verified(p, draft, u)
    p[len(y) - 1, y[-1]] = 0
    return y


class Unrewound:
    """A KVCache that says it went back, and keeps all."""

    def __init__(self, cache):
        self.cache, self.length = cache, cache.length

    def __getattr__(self, name):
        return getattr(self.cache, name)

    def keep(self, ids):
        self.cache.keep(ids)
        self.length = self.cache.length

    def rewind(self, length):
        self.length = length


@mistake("speculative_tokens", "the cache keeps the tokens that were refused, and later ones read them")
def refused_tokens_stay(model, ids, *, cache=None, **options):
    def read(ids, **cache):
        return model(ids, **{name: c.cache for name, c in cache.items()})
    return speculative_tokens(read, ids, cache=None if cache is None else Unrewound(cache), **options)


@mistake("speculative_tokens", "at most one token is guessed: the text is right, and little is gained")
def one_guess_at_a_time(model, ids, **options):
    yield from speculative_tokens(model, ids, **options | {"n_draft": min(1, options.get("n_draft", 1))})


@mistake("speculative_tokens", "the repetition penalty is forgotten")
def penalty_ignored(model, ids, *, penalty=1.0, **options):
    return speculative_tokens(model, ids, **options)


@mistake("speculative_tokens", "the tokens of the beginning are handed out again")
def repeats_the_beginning(model, ids, **options):
    yield from ((int(i), None) for i in ids)
    yield from speculative_tokens(model, ids, **options)


@mistake("speculative_tokens", "the temperature is ignored: every token is the likeliest one")
def always_greedy(model, ids, *, temperature=1.0, **options):
    return speculative_tokens(model, ids, temperature=0, **options)
