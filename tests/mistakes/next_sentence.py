"""Typical wrong answers for next sentence prediction."""
from itertools import pairwise

import numpy as np

from minigpt.reference.cross_entropy import cross_entropy_forward
from minigpt.reference.next_sentence import sentence_pairs
from mistakes import mistake


def made(documents, rng, *, label, elsewhere):
    """sentence_pairs with its draws given: label(rng), and elsewhere(documents, number, rng) -> a sentence."""
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise ValueError("documents")
    pairs = []
    for number, document in enumerate(documents):
        for first, following in pairwise(document):
            is_drawn = label(rng)
            pairs.append((first, elsewhere(documents, number, rng) if is_drawn else following, is_drawn))
    return pairs


def coin(rng):
    return int(rng.integers(2))


def another(documents, number, rng):
    other = documents[(number + 1 + int(rng.integers(len(documents) - 1))) % len(documents)]
    return other[int(rng.integers(len(other)))]


@mistake("sentence_pairs", "label 1 stands for what follows; it is 0 (equation 2)")
def labels_swapped(documents, rng):
    return [(first, second, 1 - label) for first, second, label in sentence_pairs(documents, rng)]


@mistake("sentence_pairs", "the sentence drawn may be of the same document, even the next one (equation 2)")
def drawn_from_any_document(documents, rng):
    def any_document(documents, number, rng):
        other = documents[int(rng.integers(len(documents)))]
        return other[int(rng.integers(len(other)))]
    return made(documents, rng, label=coin, elsewhere=any_document)


@mistake("sentence_pairs", "a sentence is drawn from all at once, so long documents come more often (equation 2)")
def long_documents_more_often(documents, rng):
    def any_sentence(documents, number, rng):
        others = [sentence for i, document in enumerate(documents) if i != number for sentence in document]
        return others[int(rng.integers(len(others)))]
    return made(documents, rng, label=coin, elsewhere=any_sentence)


@mistake("sentence_pairs", "always the first sentence of the other document, not any of it (equation 2)")
def first_sentence_of_another(documents, rng):
    def first(documents, number, rng):
        return documents[(number + 1 + int(rng.integers(len(documents) - 1))) % len(documents)][0]
    return made(documents, rng, label=coin, elsewhere=first)


@mistake("sentence_pairs", "a third of the pairs are drawn, not half (equation 1)")
def a_third_is_drawn(documents, rng):
    return made(documents, rng, label=lambda rng: int(rng.integers(3) == 0), elsewhere=another)


@mistake("sentence_pairs", "the same pairs are made each time: the generator is made anew inside")
def always_the_same(documents, rng):
    return sentence_pairs(documents, np.random.default_rng(0))


@mistake("sentence_pairs", "documents are joined: the first sentence of one follows the last of the one before")
def across_documents(documents, rng):
    kept = [document for document in documents if document]
    joined = sentence_pairs(documents, rng)
    return [*joined, *((a[-1], b[0], 0) for a, b in pairwise(kept))]


@mistake("sentence_pairs", "sentences are paired off two by two: every other place is left out")
def every_other_place(documents, rng):
    return sentence_pairs(documents, rng)[::2]


@mistake("next_sentence_forward", "the two classes are swapped: class 0 is that it follows (equation 3)")
def classes_swapped(logits, labels):
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise ValueError("shape")
    return cross_entropy_forward(logits, 1 - labels)


@mistake("next_sentence_forward", "the sum over the pairs is not divided by their number (equation 3)")
def not_divided(logits, labels):
    if logits.ndim != 2 or logits.shape[1] != 2:
        raise ValueError("shape")
    loss, cache = cross_entropy_forward(logits, labels)
    return loss * logits.dtype.type(len(labels)), cache


@mistake("next_sentence_forward", "more than two scores a pair are not refused")
def any_number_of_classes(logits, labels):
    return cross_entropy_forward(logits, labels)
