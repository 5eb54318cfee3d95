"""Wrong answers to generation."""
import numpy as np

from minigpt.reference.generation import (
    generate,
    next_token_probabilities,
    repetition_penalty,
    sample,
    window_start,
)
from minigpt.reference.softmax import softmax_forward
from mistakes import mistake


def renormalised(p):
    return p / p.sum(axis=-1, keepdims=True)


@mistake("next_token_probabilities", "the logits are multiplied by the temperature; divide (equation 1)")
def temperature_multiplies(logits, *, temperature=1.0, **options):
    return next_token_probabilities(logits, temperature=1 / temperature if temperature > 0 else temperature, **options)


@mistake("next_token_probabilities", "the probabilities are divided by the temperature; divide the logits (equation 1)")
def temperature_of_the_probabilities(logits, *, temperature=1.0, **options):
    if not temperature > 0:
        return next_token_probabilities(logits, temperature=temperature, **options)
    return softmax_forward(next_token_probabilities(logits, **options) / temperature)[0]


@mistake("next_token_probabilities", "temperature 0 gives NaN (0 / 0); it takes the largest logit")
def temperature_zero_is_nan(logits, *, temperature=1.0, **options):
    p = next_token_probabilities(logits, temperature=temperature, **options)
    return p if temperature > 0 else p * np.nan


@mistake("next_token_probabilities", "temperature 0 shares out between equally large logits; the first takes all")
def ties_are_shared_at_temperature_zero(logits, *, temperature=1.0, **options):
    if temperature >= 1e-6 or not temperature >= 0:
        return next_token_probabilities(logits, temperature=temperature, **options)
    return renormalised((logits == logits.max(axis=-1, keepdims=True)).astype(logits.dtype))


@mistake("next_token_probabilities", "temperature 0 takes the last of equally large logits; the first takes all")
def the_last_of_equals(logits, *, temperature=1.0, **options):
    if temperature >= 1e-6 or not temperature >= 0:
        return next_token_probabilities(logits, temperature=temperature, **options)
    return next_token_probabilities(logits[..., ::-1], temperature=temperature, **options)[..., ::-1]


@mistake("next_token_probabilities", "top_k keeps more than k tokens when some tie; the lowest ids stay (equation 2)")
def ties_beyond_k_are_kept(logits, *, top_k=None, **options):
    if top_k is None or not 0 < top_k < logits.shape[-1]:
        return next_token_probabilities(logits, top_k=top_k, **options)
    least = np.sort(logits, axis=-1)[..., -top_k, None]
    return next_token_probabilities(np.where(logits < least, -np.inf, logits), **options)


@mistake("next_token_probabilities", "top_p leaves out the token that crosses it; that one is kept (equation 3)")
def the_crossing_token_is_left_out(logits, *, top_p=None, **options):
    p = next_token_probabilities(logits, **options)
    if top_p is None or not 0 < top_p < 1:
        return next_token_probabilities(logits, top_p=top_p, **options)
    order = np.argsort(-p, axis=-1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=-1)
    keep = np.cumsum(ordered, axis=-1) <= top_p
    keep[..., 0] = True
    kept = np.zeros_like(p)
    np.put_along_axis(kept, order, np.where(keep, ordered, 0), axis=-1)
    return renormalised(kept)


@mistake("next_token_probabilities", "top_p takes one token more when it is reached exactly (equation 3)")
def one_more_than_needed(logits, *, top_p=None, **options):
    return next_token_probabilities(logits, top_p=min(1.0, top_p + 1e-12) if top_p else top_p, **options)


@mistake("next_token_probabilities", "top_p adds up in the order of the ids; begin with the most probable (equation 3)")
def top_p_in_the_order_of_ids(logits, *, top_p=None, **options):
    p = next_token_probabilities(logits, **options)
    if top_p is None or not 0 < top_p < 1:
        return next_token_probabilities(logits, top_p=top_p, **options)
    return renormalised(np.where(np.cumsum(p, axis=-1) - p < top_p, p, 0))


@mistake("next_token_probabilities", "top_p is applied before the temperature; the temperature comes first")
def top_p_before_the_temperature(logits, *, temperature=1.0, top_p=None, **options):
    kept = next_token_probabilities(logits, top_p=top_p) > 0
    return next_token_probabilities(np.where(kept, logits, -np.inf), temperature=temperature, **options)


@mistake("next_token_probabilities", "top_p is applied before top_k; top_k comes first, and what it leaves counts as 1")
def top_p_before_top_k(logits, *, top_p=None, top_k=None, **options):
    kept = next_token_probabilities(logits, top_p=top_p, **options) > 0
    return next_token_probabilities(np.where(kept, logits, -np.inf), top_k=top_k, **options)


@mistake("next_token_probabilities", "the probabilities that are left do not sum to 1 (equation 4)")
def not_renormalised(logits, *, temperature=1.0, **options):
    kept = next_token_probabilities(logits, temperature=temperature, **options) > 0
    return np.where(kept, next_token_probabilities(logits, temperature=temperature), 0)


@mistake("next_token_probabilities", "the probabilities come in sorted order; put them back in the order of the ids")
def in_sorted_order(logits, **options):
    return -np.sort(-next_token_probabilities(logits, **options), axis=-1)


@mistake("next_token_probabilities", "the logits are overwritten: an input must be left as it was")
def writes_into_the_logits(logits, *, temperature=1.0, **options):
    p = next_token_probabilities(logits, temperature=temperature, **options)
    logits /= temperature or 1
    return p


@mistake("next_token_probabilities", "logits of NaN are let through; they mean that training went wrong")
def nan_is_let_through(logits, **options):
    return next_token_probabilities(np.nan_to_num(logits, nan=0.0, posinf=1e4), **options)


@mistake("sample", "the running sum has to pass u, not only reach it: at u = 0 a token of probability 0 is taken "
                   "(equation 5)")
def reaches_instead_of_passes(p, u):
    return np.argmax(np.cumsum(p, axis=-1) >= np.asarray(u)[..., None], axis=-1)


@mistake("sample", "u just below 1 finds no token, as the sum ends a rounding below 1")
def no_token_at_the_end(p, u):
    return (np.cumsum(p, axis=-1) <= np.asarray(u)[..., None]).sum(axis=-1)


@mistake("sample", "the token after the right one is taken (equation 5)")
def one_too_far(p, u):
    return np.minimum(sample(p, u) + 1, p.shape[-1] - 1)


@mistake("sample", "the most probable token is taken, whatever u is (equation 5)")
def always_the_likeliest(p, u):
    return p.argmax(axis=-1)


@mistake("generate", "the token that ends the text is handed out too; it only ends the text")
def stop_token_included(model, ids, *, max_new_tokens, stop_ids=(), **options):
    for token in generate(model, ids, max_new_tokens=max_new_tokens, **options):
        yield token
        if token in stop_ids:
            return


@mistake("generate", "the text goes on after a stop token")
def stop_ignored(model, ids, *, stop_ids=(), **options):
    return generate(model, ids, **options)


@mistake("generate", "of a long text the model sees the beginning; it should see the end")
def sees_the_beginning(model, ids, *, context_length, **options):
    def early(window):
        return model(window[:, :context_length])
    return generate(early, ids, context_length=10**6, **options)


@mistake("generate", "the model sees more tokens than its context holds")
def context_ignored(model, ids, *, context_length, **options):
    return generate(model, ids, context_length=10**6, **options)


@mistake("generate", "the model sees the last token only; without a cache it needs all of the text")
def sees_one_token(model, ids, *, context_length, **options):
    return generate(lambda window: model(window[:, -1:]), ids, context_length=context_length, **options)


@mistake("generate", "the next token comes from the logits of the first position; take the last")
def logits_of_the_first_position(model, ids, **options):
    return generate(lambda window: model(window)[:, ::-1], ids, **options)


@mistake("generate", "all tokens are made before the first is handed out")
def all_at_once(model, ids, **options):
    return iter(list(generate(model, ids, **options)))


@mistake("generate", "one token too many: max_new_tokens counts the new ones")
def one_too_many(model, ids, *, max_new_tokens, **options):
    return generate(model, ids, max_new_tokens=max_new_tokens + 1, **options)


@mistake("generate", "the beginning is handed out again; only new tokens are asked for")
def repeats_the_beginning(model, ids, **options):
    yield from np.asarray(ids).tolist()
    yield from generate(model, ids, **options)


@mistake("generate", "the generator is not used, so the same seed writes different texts")
def generator_ignored(model, ids, *, generator=None, **options):
    return generate(model, ids, **options)


@mistake("generate", "temperature, top_k and top_p are ignored: every token is the likeliest one")
def always_greedy(model, ids, *, temperature=1.0, **options):
    return generate(model, ids, temperature=0, **options)


@mistake("repetition_penalty", "a negative logit is divided too, which makes the token likelier; multiply (equation 6)")
def always_divided(logits, ids, penalty):
    less = repetition_penalty(np.abs(logits), ids, penalty)
    return less * np.where(logits < 0, -1, 1)


@mistake("repetition_penalty", "the penalty is subtracted from the logit; it divides it (equation 6)")
def penalty_subtracted(logits, ids, penalty):
    repetition_penalty(logits, ids, penalty)
    seen = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(seen, ids, True, axis=-1)
    return np.where(seen, logits - penalty, logits).astype(logits.dtype)


@mistake("repetition_penalty", "a token that came three times is punished three times; once is meant (equation 6)")
def punished_each_time(logits, ids, penalty):
    for i in range(ids.shape[-1]):
        logits = repetition_penalty(logits, ids[..., i:i + 1], penalty)
    return repetition_penalty(logits, ids[..., :0], penalty)


@mistake("repetition_penalty", "the tokens that are not in the text are punished (equation 6)")
def the_others_punished(logits, ids, penalty):
    return np.where(repetition_penalty(logits, ids, penalty) == logits,
                    np.where(logits > 0, logits / penalty, logits * penalty), logits)


@mistake("repetition_penalty", "only the last token is punished (equation 6)")
def only_the_last_token(logits, ids, penalty):
    return repetition_penalty(logits, ids[..., -1:], penalty)


@mistake("repetition_penalty", "the tokens of all rows are punished in each; every row has its own (equation 6)")
def tokens_of_all_rows(logits, ids, penalty):
    shared = np.broadcast_to(ids.reshape(-1), (*ids.shape[:-1], ids.size))
    return repetition_penalty(logits, shared, penalty)


@mistake("repetition_penalty", "the logits that came in are written over")
def penalty_writes_into_the_logits(logits, ids, penalty):
    logits[...] = repetition_penalty(logits, ids, penalty)
    return logits


@mistake("repetition_penalty", "a penalty of 0 or less is accepted")
def any_penalty(logits, ids, penalty):
    return repetition_penalty(logits, ids, abs(penalty) if 0 < abs(penalty) < np.inf else 1.0)


@mistake("generate", "the penalty is for the tokens of the prompt as well")
def prompt_is_punished(model, ids, *, penalty=1.0, **options):
    def punished(window, **cache):
        logits = model(window, **cache).copy()
        logits[0, -1] = repetition_penalty(logits[0, -1], np.asarray(ids), penalty)
        return logits
    return generate(model if penalty == 1 else punished, ids, penalty=penalty, **options)


@mistake("generate", "the penalty is ignored")
def penalty_ignored(model, ids, *, penalty=1.0, **options):
    return generate(model, ids, **options)


@mistake("generate", "with a cache the whole text is read again for every token")
def reads_all_again(model, ids, *, cache=None, **options):
    read_all = model if cache is None else lambda window: model(window, cache=emptied(cache))
    return generate(read_all, ids, **options)


def emptied(cache):
    cache.rewind(0)
    return cache


@mistake("generate", "the cache is emptied first: what it holds of the beginning need not be read again")
def begins_with_an_empty_cache(model, ids, *, cache=None, **options):
    if cache is not None:
        cache.rewind(0)
    return generate(model, ids, cache=cache, **options)


@mistake("generate", "what the cache holds is taken for the beginning of the text, whatever it is")
def cache_is_taken_for_the_beginning(model, ids, *, cache=None, **options):
    if cache is not None and 0 < cache.length < len(ids):
        cache.keep = lambda ids: None
    return generate(model, ids, cache=cache, **options)


@mistake("window_start", "the window moves by one token; it moves by half a context, or nothing could be kept")
def window_moves_by_one(n, context_length):
    return max(0, n - context_length)


@mistake("window_start", "the window moves by a whole context, so that the model begins with one token or none")
def window_moves_by_a_context(n, context_length):
    return -(-max(0, n - context_length) // context_length) * context_length


@mistake("window_start", "half of an odd context is rounded down")
def half_rounded_down(n, context_length):
    half = max(1, context_length // 2)
    return -(-max(0, n - context_length) // half) * half


@mistake("window_start", "a text that just fits loses half of a context already")
def one_token_too_early(n, context_length):
    return window_start(n + 1, context_length)
