"""Wrong answers to causal_lm."""
import numpy as np

from minigpt.reference.causal_lm import causal_lm_backward, causal_lm_forward
from minigpt.reference.cross_entropy import cross_entropy_forward
from mistakes import mistake


def predicting(targets, logits, ids, ignore_index):
    B, T, _ = logits.shape
    if ids.shape != (B, T + 1):
        raise ValueError("lengths do not fit")
    return cross_entropy_forward(logits, targets, ignore_index)


def n_counted(cache):
    return max(int(cache.counted.sum()), 1)


@mistake("causal_lm_forward", "the labels are not shifted: position t must predict the token t + 1, not t (equation 1)")
def labels_not_shifted(logits, ids, ignore_index=-100):
    return predicting(ids[:, :-1], logits, ids, ignore_index)


@mistake("causal_lm_forward", "the labels are shifted twice: position t predicts the token t + 2 (equation 1)")
def labels_shifted_twice(logits, ids, ignore_index=-100):
    after = np.concatenate([ids[:, 2:], np.full_like(ids[:, :1], ignore_index)], axis=1)
    return predicting(after, logits, ids, ignore_index)


@mistake("causal_lm_forward", "the labels are shifted the wrong way: position t predicts the token t - 1 (equation 1)")
def labels_shifted_backwards(logits, ids, ignore_index=-100):
    before = np.concatenate([np.full_like(ids[:, :1], ignore_index), ids[:, :-2]], axis=1)
    return predicting(before, logits, ids, ignore_index)


@mistake("causal_lm_forward", "the labels are rolled round: the last position predicts the first token (equation 1)")
def labels_rolled(logits, ids, ignore_index=-100):
    return predicting(np.roll(ids[:, :-1], -1, axis=1), logits, ids, ignore_index)


@mistake("causal_lm_forward", "the last position is left out; it predicts the last token (equation 1)")
def last_position_left_out(logits, ids, ignore_index=-100):
    targets = ids[:, 1:].copy()
    targets[:, -1:] = ignore_index
    return predicting(targets, logits, ids, ignore_index)


@mistake("causal_lm_forward", "only the last position predicts; every position does (equation 1)")
def last_position_only(logits, ids, ignore_index=-100):
    targets = np.full_like(ids[:, 1:], ignore_index)
    targets[:, -1:] = ids[:, -1:]
    return predicting(targets, logits, ids, ignore_index)


@mistake("causal_lm_forward", "the loss is the sum over the tokens; it is their mean (equation 1)")
def sum_instead_of_mean(logits, ids, ignore_index=-100):
    loss, cache = causal_lm_forward(logits, ids, ignore_index)
    return loss * n_counted(cache), cache


@mistake("causal_lm_forward", "the mean is divided by all positions, the ignored ones included (equation 1)")
def mean_over_all(logits, ids, ignore_index=-100):
    loss, cache = causal_lm_forward(logits, ids, ignore_index)
    return loss * n_counted(cache) / max(cache.counted.size, 1), cache


@mistake("causal_lm_forward", "the sum is divided by the batch: the loss is per token, not per sequence (equation 1)")
def mean_over_sequences(logits, ids, ignore_index=-100):
    loss, cache = causal_lm_forward(logits, ids, ignore_index)
    return loss * n_counted(cache) / max(len(ids), 1), cache


@mistake("causal_lm_forward", "the logarithm is that of base 2, which gives bits, not nats (equation 1)")
def bits_for_nats(logits, ids, ignore_index=-100):
    loss, cache = causal_lm_forward(logits, ids, ignore_index)
    return loss / np.log(2), cache


@mistake("causal_lm_forward", "this is the perplexity, exp of the loss; the loss is in nats (equation 1)")
def perplexity(logits, ids, ignore_index=-100):
    loss, cache = causal_lm_forward(logits, ids, ignore_index)
    return np.exp(loss), cache


@mistake("causal_lm_forward", "ignore_index is not passed on")
def ignore_index_not_passed_on(logits, ids, ignore_index=-100):
    return causal_lm_forward(logits, ids)


@mistake("causal_lm_forward", "lengths that do not fit are cut to the shorter: then a forgotten shift goes unnoticed")
def lengths_cut_to_fit(logits, ids, ignore_index=-100):
    T = min(logits.shape[1], ids.shape[1] - 1)
    return cross_entropy_forward(logits[:, :T], ids[:, 1:T + 1], ignore_index)


@mistake("causal_lm_forward", "the ids are written over: an input must be left as it was")
def writes_into_the_ids(logits, ids, ignore_index=-100):
    result = causal_lm_forward(logits, ids, ignore_index)
    ids[:, :-1] = ids[:, 1:]
    return result


@mistake("causal_lm_backward", "the gradient is not divided by the number of counted targets (equation 2)")
def not_divided_by_n(dy, cache):
    return causal_lm_backward(dy, cache) * n_counted(cache)


@mistake("causal_lm_backward", "the sign is wrong: the gradient is p - 1[v = next token], not the reverse (equation 2)")
def sign_reversed(dy, cache):
    return -causal_lm_backward(dy, cache)


@mistake("causal_lm_backward", "dy is left out (equation 2)")
def without_dy(dy, cache):
    return causal_lm_backward(1.0, cache)
