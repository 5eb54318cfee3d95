"""Typical wrong answers for a classifier on the Transformer."""
import numpy as np

from minigpt.reference.classifier import classifier_backward, classifier_forward
from minigpt.reference.linear import linear_backward
from mistakes import mistake


@mistake("classifier_forward", "padding is pooled as well: the mask does not reach the pooling (equation 2)")
def padding_is_pooled(ids, params, config, *, how="mean", key_mask=None, **options):
    if how not in ("mean", "last") or key_mask is None:
        return classifier_forward(ids, params, config, how=how, key_mask=key_mask, **options)
    tokens, _ = classifier_forward(ids, params, config, how="tokens", key_mask=key_mask, **options)
    right = classifier_forward(ids, params, config, how=how, key_mask=key_mask, **options)[1]
    return (tokens.mean(axis=1) if how == "mean" else tokens[:, -1]), right


@mistake("classifier_forward", "padding is attended to: the mask does not reach the Transformer (equation 1)")
def padding_is_attended(ids, params, config, *, how="mean", key_mask=None, **options):
    if how not in ("mean", "last", "first") or key_mask is None:
        return classifier_forward(ids, params, config, how=how, key_mask=key_mask, **options)
    tokens, _ = classifier_forward(ids, params, config, how="tokens", **options)
    right = classifier_forward(ids, params, config, how=how, key_mask=key_mask, **options)[1]
    weights = {"first": np.arange(ids.shape[1]) == 0, "mean": key_mask,
               "last": key_mask & (key_mask[:, ::-1].cumsum(axis=1)[:, ::-1] == 1)}[how] * np.ones(ids.shape)
    return (tokens * (weights / weights.sum(axis=1, keepdims=True))[..., None].astype(tokens.dtype)).sum(axis=1), right


@mistake("classifier_forward", "always the first token, whatever is asked for (equation 2)")
def always_the_first_token(ids, params, config, *, how="mean", **options):
    right = classifier_forward(ids, params, config, how=how, **options)
    first, _ = classifier_forward(ids, params, config, how="first", **options)
    return (np.broadcast_to(first[:, None], right[0].shape).copy() if how == "tokens" else first), right[1]


@mistake("classifier_forward", "the bias of the head is not added (equation 3)")
def no_bias(ids, params, config, **options):
    logits, cache = classifier_forward(ids, params, config, **options)
    return logits - params["head.bias"], cache


@mistake("classifier_forward", "the token types do not reach the Transformer (equation 1)")
def no_token_types(ids, params, config, *, token_types=None, **options):
    right = classifier_forward(ids, params, config, token_types=token_types, **options)[1]
    return classifier_forward(ids, params, config, **options)[0], right


@mistake("classifier_forward", "softmax is applied to the scores: the loss does that itself")
def probabilities_for_scores(ids, params, config, **options):
    logits, cache = classifier_forward(ids, params, config, **options)
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True), cache


@mistake("classifier_forward", "each vector is divided by the sum of its squares, not by its length (equation 2)")
def divided_by_the_square(ids, params, config, *, unit=False, **options):
    right = classifier_forward(ids, params, config, unit=unit, **options)
    if not unit:
        return right
    z, length = right[1].unit
    return (z / length) @ params["head.weight"].T + params["head.bias"], right[1]


@mistake("classifier_forward", "a vector of 0 is divided by 0 (equation 2)")
def zero_by_zero(ids, params, config, *, unit=False, **options):
    logits, cache = classifier_forward(ids, params, config, unit=unit, **options)
    is_zero = unit and cache.unit[1] <= 1e-12
    return np.where(is_zero, np.nan, logits).astype(logits.dtype), cache


@mistake("classifier_backward", "the length is taken for a constant: it changes with the vector (equation 5)")
def constant_length(dlogits, cache):
    z, length = cache.unit
    if length is None:
        return classifier_backward(dlogits, cache)
    return classifier_backward(dlogits, cache._replace(unit=(np.zeros_like(z), length)))


@mistake("classifier_backward", "only the head learns: the gradient ends at the vectors (equation 6)")
def head_only(dlogits, cache):
    return {name: d if name.startswith("head.") else np.zeros_like(d)
            for name, d in classifier_backward(dlogits, cache).items()}


@mistake("classifier_backward", "every token gets the whole gradient of the mean, not its share (equation 5)")
def whole_gradient_for_each_token(dlogits, cache):
    if cache.pooled is None:
        return classifier_backward(dlogits, cache)
    every = cache.pooled._replace(weights=(cache.pooled.weights != 0).astype(cache.pooled.weights.dtype))
    return classifier_backward(dlogits, cache._replace(pooled=every))


@mistake("classifier_backward", "the gradient of the head's weight is averaged over the texts, not summed (equation 4)")
def head_averaged(dlogits, cache):
    dparams = classifier_backward(dlogits, cache)
    return dparams | {"head.weight": linear_backward(dlogits, cache.head)[1] / max(len(dlogits), 1)}
