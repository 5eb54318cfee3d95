"""What an encoder learns from: hidden tokens, and whether one text followed another.

Objectives, (model, batch) -> (loss, n), as minigpt.evaluation.next_token is one; batch: a MaskedBatch.
"""
import math
from collections import namedtuple

import torch

from minigpt.bert_loss import bert_loss
from minigpt.evaluation import device_of
from minigpt.linear import linear
from minigpt.linear_cross_entropy import linear_cross_entropy
from minigpt.masked_lm import masked_lm
from minigpt.next_sentence import next_sentence
from minigpt.swap import is_fused

# nats: mean loss; the others count: tokens that were hidden, of these guessed, pairs, of these right
Judgement = namedtuple("Judgement", "nats tokens tokens_right pairs pairs_right")


def masked_tokens(model, batch):
    """RoBERTa's: guess the hidden tokens, with the output layer at their places only.

    model: a Transformer, or a Classifier on one. Returns (mean loss in nats, number of hidden tokens).
    Source: Liu et al. 2019, arXiv:1907.11692.
    """
    batch = batch.to(device_of(model))
    return _of_tokens(model, batch, _read(model, batch))


def masked_tokens_and_next_sentence(model, batch):
    """BERT's: bert_loss, the sum of two means, one over the hidden tokens and one over the pairs.

    model: a Classifier with how="first" and two classes. Returns (loss in nats, number of hidden tokens).
    Source: Devlin et al. 2018, arXiv:1810.04805, appendix A.2.
    """
    batch = batch.to(device_of(model))
    h = _read(model, batch)                                                       # (B,T,C)
    pairs = _of_pairs(model, batch, h), batch.labels
    if is_fused("linear_cross_entropy"):
        loss, n = _of_tokens(model, batch, h)
        return loss + next_sentence(*pairs), n
    logits, targets = _scores_of_tokens(model, batch, h)
    return bert_loss(logits, targets, *pairs), targets.numel()


@torch.no_grad()
def judge(model, objective, batches):
    """A Judgement: the mean loss, and how many guesses were right; the likeliest answer is the guess.

    Of the tokens that are asked, those that still stand there are in the loss, but not counted: they can be copied.
    """
    model.eval()
    nats, asked, tokens, tokens_right, pairs, pairs_right = 0.0, 0, 0, 0, 0, 0
    for batch in batches:
        loss, n = objective(model, batch)
        nats, asked = nats + loss.item() * n, asked + n
        batch = batch.to(device_of(model))
        h, gone = _read(model, batch), batch.hidden
        guesses = linear(h[gone], _trunk(model).output_weight).argmax(-1)         # (N,)
        tokens, tokens_right = tokens + len(guesses), tokens_right + int((guesses == batch.targets[gone]).sum())
        if hasattr(model, "head"):
            right = _of_pairs(model, batch, h).argmax(-1) == batch.labels         # (B,)
            pairs, pairs_right = pairs + len(right), pairs_right + int(right.sum())
    return Judgement(nats / max(asked, 1), tokens, tokens_right, pairs, pairs_right)


def wilson_interval(right, n, z=1.96):
    """(low, high): where the probability of being right lies, with 95% for z=1.96, after n tries.

        (p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n),   p = right / n

    Source: Wilson 1927, Journal of the American Statistical Association 22.
    """
    p = right / n
    middle, spread = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (middle - spread) / (1 + z**2 / n), (middle + spread) / (1 + z**2 / n)


def _trunk(model):
    return getattr(model, "trunk", model)


def _read(model, batch):
    """(B,T,C): without a mask where there is no padding, since that is quicker."""
    key_mask = None if batch.key_mask.all() else batch.key_mask
    return _trunk(model).hidden(batch.ids, key_mask, batch.token_types)


def _of_tokens(model, batch, h):
    if is_fused("linear_cross_entropy"):
        h, targets = _hidden_places(batch, h)
        return linear_cross_entropy(h, _trunk(model).output_weight, targets), len(targets)
    logits, targets = _scores_of_tokens(model, batch, h)
    return masked_lm(logits, targets), targets.numel()


def _hidden_places(batch, h):
    """((N,C), (N,)): what is read at the N places that are asked, and what stood there."""
    chosen = batch.targets >= 0                                                   # (B,T)
    return h[chosen], batch.targets[chosen]


def _scores_of_tokens(model, batch, h):
    """((1,N,V), (1,N)): a single row, of the places that are asked."""
    h, targets = _hidden_places(batch, h)
    return linear(h, _trunk(model).output_weight)[None], targets[None]


def _of_pairs(model, batch, h):
    return model.head(model.pooled(h, batch.key_mask))                            # (B,2)
