"""Next sentence prediction: did the second of two texts follow the first, or is it from somewhere else?"""
from itertools import pairwise

import torch

from minigpt.cross_entropy import cross_entropy
from minigpt.swap import replaceable


def sentence_pairs(documents, rng):
    """Two sentences for every place where one follows another: what follows, or what was drawn elsewhere.

        (1) label_i = 0 or 1, each with probability 1/2
        (2) second_i = the next sentence if label_i = 0, else a sentence of another document
            (the document is drawn first, then its sentence, each as likely as any other)

    documents: a list of documents, each a list of sentences of any kind; empty ones count for nothing.
    rng: torch.Generator. Returns [(first, second, label)], in the order of the texts.
    Raises ValueError if there are not two documents to draw from.
    Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1, and its published code.
    """
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise ValueError(f"{len(documents)} document(s) with sentences: to draw from another one takes two")
    pairs = []
    for number, document in enumerate(documents):
        for first, following in pairwise(document):
            label = _below(2, rng)                                                # (1)
            other = documents[(number + 1 + _below(len(documents) - 1, rng)) % len(documents)]
            drawn = other[_below(len(other), rng)]
            pairs.append((first, drawn if label else following, label))           # (2)
    return pairs


@replaceable
def next_sentence(logits, labels):
    """Cross-entropy of a choice of two.

        (3) loss = 1/B sum_b -log p_b(label_b),   p_b = softmax(logits_b)

    logits: (B, 2), the scores of "it follows" and "it does not"; labels: (B,), 0 = it follows, 1 = it does not.
    Returns loss: a number, nats per pair. A coin costs log 2.
    Raises ValueError if there are not two scores a pair.
    """
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise ValueError(f"logits of shape {tuple(logits.shape)}: a pair has two scores, (B, 2)")
    loss = cross_entropy(logits, labels)                                          # ()  (3)
    return loss


def _below(n, rng):
    return int(torch.randint(n, (), generator=rng))
