"""Classifying with a model that writes, without any training: how likely is each label as its answer?

    label_probabilities(model, tokenizer, ["What a film!"], ["positive", "negative"])      # (1,2)
"""
import torch

from minigpt.errors import InputError
from minigpt.evaluation import device_of
from minigpt.kv_cache import KVCache
from minigpt.label_scores import label_scores
from minigpt.swap import implementation, use

NEUTRAL = "N/A"         # a text that says nothing (Zhao et al. 2021, arXiv:2102.09690, section 5)


def label_probabilities(model, tokenizer, texts, labels, *, progress=None):
    """(N,K) float64: the probability of each of K labels for each of N texts; see label_scores.

    progress: called with the number of texts done. Raises InputError for a text that does not fit the context.
    """
    spelled = [tokenizer.encode(f" {label}") for label in labels]
    lengths = torch.tensor([len(ids) for ids in spelled])                         # (K,)
    neutral = label_nats(model, prompt(tokenizer, NEUTRAL), spelled)              # (K,)
    rows = []
    for n, text in enumerate(texts, 1):
        nats = label_nats(model, prompt(tokenizer, text), spelled)                # (K,)
        rows.append(label_scores(nats, lengths, neutral))
        if progress:
            progress(n)
    return torch.stack(rows)


def prompt(tokenizer, text):
    """Token ids after which a label is to come. It does not name the labels, whose order would then count."""
    return tokenizer.encode(f"Text: {text}\nLabel:")


def label_nats(model, ids, spelled):
    """(K,) float64: log-probabilities in nats of K sequences of tokens, each after the same ids, read once."""
    limit, longest = model.config.context_length, max(map(len, spelled))
    if len(ids) + longest > limit:
        raise InputError(f"a text and its labels have {len(ids) + longest} tokens, more than the model's "
                         f"context_length={limit}; shorten it")
    cache, found = KVCache(model.config, len(ids) + longest), []
    with torch.no_grad(), use(**implementation("fused")):
        def nats(tokens):
            h = model.hidden(torch.tensor([tokens], device=device_of(model)), cache=cache)[:, -longest:]
            return torch.log_softmax(model.score(h)[0].cpu().double(), dim=-1)    # (T,V)
        first = nats(ids)[-1:]                                # (1,V)
        for label in spelled:
            rows = torch.cat([first, nats(label[:-1])]) if len(label) > 1 else first
            found.append(rows[range(len(label)), label].sum())
            cache.rewind(len(ids))
    return torch.stack(found)
