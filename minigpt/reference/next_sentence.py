"""Next sentence prediction: did the second of two texts follow the first, or is it from somewhere else?"""
from itertools import pairwise

from minigpt.reference.cross_entropy import cross_entropy_backward, cross_entropy_forward


def sentence_pairs(documents, rng):
    """Two sentences for every place where one follows another: what follows, or what was drawn elsewhere.

        (1) label_i = 0 or 1, each with probability 1/2
        (2) second_i = the next sentence if label_i = 0, else a sentence of another document
            (the document is drawn first, then its sentence, each as likely as any other)

    documents: a list of documents, each a list of sentences of any kind; empty ones count for nothing.
    rng: np.random.Generator. Returns [(first, second, label)], in the order of the texts.
    Raises ValueError if there are not two documents to draw from.
    Source: Devlin et al. 2018, arXiv:1810.04805, section 3.1, and its published code.
    """
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise ValueError(f"{len(documents)} document(s) with sentences: to draw from another one takes two")
    pairs = []
    for number, document in enumerate(documents):
        for first, following in pairwise(document):
            label = int(rng.integers(2))                                          # (1)
            other = documents[(number + 1 + int(rng.integers(len(documents) - 1))) % len(documents)]
            drawn = other[int(rng.integers(len(other)))]
            pairs.append((first, drawn if label else following, label))           # (2)
    return pairs


def next_sentence_forward(logits, labels):
    """Cross-entropy of a choice of two.

        (3) loss = 1/B sum_b -log p_b(label_b),   p_b = softmax(logits_b)

    logits: (B, 2), the scores of "it follows" and "it does not"; labels: (B,), 0 = it follows, 1 = it does not.
    Returns loss: a number, nats per pair; and the cache that next_sentence_backward needs. A coin costs log 2.
    Raises ValueError if there are not two scores a pair.
    """
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise ValueError(f"logits of shape {logits.shape}: a pair has two scores, (B, 2)")
    loss, cache = cross_entropy_forward(logits, labels)                           # ()  (3)
    return loss, cache


def next_sentence_backward(dy, cache):
    """Gradient of the loss with respect to the scores.

        (4) dlogits_bc = dy / B (p_b(c) - 1[c = label_b])

    dy: a number. Returns dlogits: (B, 2).
    """
    return cross_entropy_backward(dy, cache)                                      # (B, 2)  (4)
