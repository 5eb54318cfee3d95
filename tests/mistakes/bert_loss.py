"""Typical wrong answers for BERT's joint loss."""
import numpy as np

from minigpt.reference.bert_loss import bert_loss_backward, bert_loss_forward
from minigpt.reference.cross_entropy import cross_entropy_forward
from mistakes import mistake


def parts(token_logits, targets, pair_logits, labels, ignore_index):
    """(loss of the tokens, of the pairs, the cache of both)"""
    loss, cache = bert_loss_forward(token_logits, targets, pair_logits, labels, ignore_index)
    pairs, _ = cross_entropy_forward(pair_logits, labels)
    return loss - pairs, pairs, cache


@mistake("bert_loss_forward", "one mean over tokens and pairs together: it is the sum of two means (equation 1)")
def one_mean_over_all(token_logits, targets, pair_logits, labels, ignore_index=-100):
    tokens, pairs, cache = parts(token_logits, targets, pair_logits, labels, ignore_index)
    n, B = int((targets != ignore_index).sum()), len(labels)
    return ((n * tokens + B * pairs) / (n + B)).astype(token_logits.dtype), cache


@mistake("bert_loss_forward", "the mean of the two losses instead of their sum (equation 1)")
def mean_of_the_two(token_logits, targets, pair_logits, labels, ignore_index=-100):
    loss, cache = bert_loss_forward(token_logits, targets, pair_logits, labels, ignore_index)
    return loss / 2, cache


@mistake("bert_loss_forward", "the pairs are left out of the loss (equation 1)")
def tokens_alone(token_logits, targets, pair_logits, labels, ignore_index=-100):
    tokens, _, cache = parts(token_logits, targets, pair_logits, labels, ignore_index)
    return tokens, cache


@mistake("bert_loss_forward", "the loss of the pairs is a sum over them; it is their mean (equation 1)")
def sum_over_pairs(token_logits, targets, pair_logits, labels, ignore_index=-100):
    tokens, pairs, cache = parts(token_logits, targets, pair_logits, labels, ignore_index)
    return tokens + pairs * len(labels), cache


@mistake("bert_loss_forward", "only the pairs that follow are judged for their hidden tokens; all are (equation 1)")
def tokens_of_what_follows(token_logits, targets, pair_logits, labels, ignore_index=-100):
    chosen = np.where((labels == 0)[:, None], targets, ignore_index)
    return bert_loss_forward(token_logits, chosen, pair_logits, labels, ignore_index)


@mistake("bert_loss_forward", "scores of other than two classes a pair are not refused")
def any_number_of_scores(token_logits, targets, pair_logits, labels, ignore_index=-100):
    if pair_logits.shape[1:] == (2,):
        return bert_loss_forward(token_logits, targets, pair_logits, labels, ignore_index)
    return cross_entropy_forward(token_logits, targets, ignore_index)


@mistake("bert_loss_backward", "the gradient of the pairs is not multiplied by dy (equation 2)")
def pairs_without_dy(dy, cache):
    return bert_loss_backward(dy, cache)[0], bert_loss_backward(np.ones_like(dy), cache)[1]


@mistake("bert_loss_backward", "each loss gets half of dy; a sum hands the whole to both (equation 2)")
def dy_is_shared_out(dy, cache):
    return bert_loss_backward(dy / 2, cache)
