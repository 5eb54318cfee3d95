"""How good a model is: nats per token, and bits per character, which no choice of tokens can flatter.

An objective is a function (model, batch) -> (loss, n): the mean loss in nats, and over how many targets.
"""
import math

import torch

from minigpt.causal_lm import causal_lm
from minigpt.linear_cross_entropy import linear_cross_entropy
from minigpt.swap import is_fused


def next_token(model, ids):
    """The objective of a GPT: predict each token from those before it. ids: (B, T+1)."""
    ids = ids.to(device_of(model))
    return _loss(model, ids[:, :-1], ids), ids[:, 1:].numel()


def _loss(model, ids, following):
    """causal_lm of the model's logits; without logits where a fused form of the last layer and the loss is in use."""
    if is_fused("linear_cross_entropy") and hasattr(model, "hidden"):
        return linear_cross_entropy(model.hidden(ids), model.output_weight, following[:, 1:])
    return causal_lm(model(ids), following)


@torch.no_grad()
def evaluate(model, objective, batches):
    """(mean loss in nats per target, number of targets) over a list of batches, with dropout off."""
    training = model.training
    model.eval()
    nats, targets = 0.0, 0
    for batch in batches:
        loss, n = objective(model, batch)
        nats, targets = nats + loss.item() * n, targets + n
    model.train(training)
    return nats / max(targets, 1), targets


def bits_per_character(nats, characters):
    """What a text costs a model, whatever its tokens are: nats / (ln 2 x characters).

    nats: of all tokens of the text together. characters: of the same text.
    """
    return nats / (math.log(2) * characters)


def device_of(model):
    """Where the model computes."""
    return next(model.parameters()).device


@torch.no_grad()
def sliding_nats(model, ids, *, stride, batch_size=32):
    """(nats, tokens) of a whole token stream, where each token is predicted from at least T - stride before it.

    Windows of T = context_length tokens overlap by T - stride; of each, only the last `stride` predictions count
    (of the first, all). So no token but the first is judged twice or not at all.
    ids: (N,) token ids, N > 1; of a text shorter than T + 1 there is one window.
    stride: from 1 (slow, exact) to T (windows that do not overlap).
    """
    ids = torch.as_tensor(ids, dtype=torch.long)
    T = min(model.config.context_length, len(ids) - 1)
    starts = torch.arange(0, len(ids) - 1 - T, stride).tolist()
    starts.append(len(ids) - 1 - T)                    # the last window ends with the text
    nats, tokens, done = 0.0, 0, 0                     # done: predictions counted so far
    model.eval()
    for at in range(0, len(starts), batch_size):
        windows = torch.stack([ids[s:s + T + 1] for s in starts[at:at + batch_size]])             # (B, T+1)
        targets = windows.clone()
        for row, s in enumerate(starts[at:at + batch_size]):
            targets[row, 1:1 + max(0, done - s)] = -100   # counted by the window before
            done = s + T
        counted = int((targets[:, 1:] != -100).sum())
        device = device_of(model)
        nats += _loss(model, windows[:, :-1].to(device), targets.to(device)).item() * counted
        tokens += counted
    return nats, tokens
