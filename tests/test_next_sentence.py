"""The contract of next_sentence: where the second sentence comes from, and what a wrong guess costs."""
import math
from collections import Counter

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import Mismatch, assert_close, refused, untouched
from minigpt.grading.op import Op
from minigpt.reference import next_sentence as reference

ONE = np.array(1.0)
TALES = [[(tale, place) for place in range(length)] for tale, length in enumerate((400, 800, 40, 1200))]


def by_pytorch(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels)


REFERENCE = Op("next_sentence", "reference", vars(reference))
PYTORCH = Op("next_sentence", "PyTorch's own", {"next_sentence": by_pytorch}, is_torch=True)


def generator(op, seed=0):
    return torch.Generator().manual_seed(seed) if op.is_torch else np.random.default_rng(seed)


def pairs(op, documents=TALES, rng=None):
    return list(op.call("sentence_pairs", documents, rng or generator(op)))


def assert_equal(got, expected, what):
    if got != expected:
        raise Mismatch(f"{what}: expected {expected!r:.200}, got {got!r:.200}", what, got, expected)


def assert_share(got, expected, n, what):
    """A share of n draws, within 4.5 standard deviations."""
    if abs(got - expected) > 4.5 * math.sqrt(expected * (1 - expected) / n):
        raise Mismatch(f"{what}: expected a share of {expected:.4f}, got {got:.4f}", what, got, expected)


def example(B, seed=0):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(B, 2)), rng.integers(0, 2, B)


def named(run):
    loss, (dlogits,) = run
    return {"loss": loss, "dlogits": dlogits}


# Pairs

def test_every_sentence_but_the_last_of_its_document_comes_first_once(op):
    expected = [sentence for tale in TALES for sentence in tale[:-1]]
    assert_equal([first for first, _, _ in pairs(op)], expected, "first sentences")


def test_label_0_is_the_sentence_that_follows(op):
    for (tale, place), second, label in pairs(op):
        if label == 0:
            assert_equal(second, (tale, place + 1), f"what follows {(tale, place)}")


def test_label_1_is_a_sentence_of_another_document(op):
    same = [second for (tale, _), second, label in pairs(op) if label == 1 and second[0] == tale]
    assert_equal(same, [], "drawn from the same document")


def test_half_of_the_labels_are_1(op):
    labels = [label for _, _, label in pairs(op)]
    assert_equal(set(labels), {0, 1}, "labels")
    assert_share(sum(labels) / len(labels), 0.5, len(labels), "label 1")


def test_each_other_document_is_drawn_as_often_whatever_its_length(op):
    drawn = [second[0] for (tale, _), second, label in pairs(op) if label == 1 and tale == 3]
    for tale, n in Counter(drawn).items():
        assert_share(n / len(drawn), 1 / 3, len(drawn), f"document {tale}")


def test_every_place_of_another_document_is_drawn(op):
    places = {second[1] for (tale, _), second, label in pairs(op) if label == 1 and second[0] == 2}
    assert_equal(places, set(range(40)), "places drawn from a document of 40 sentences")


def test_each_time_other_pairs_are_made(op):
    rng = generator(op)
    if pairs(op, rng=rng) == pairs(op, rng=rng):
        raise Mismatch("the same pairs were made twice", "pairs", None, None)


def test_a_document_of_a_single_sentence_is_drawn_from_only(op):
    made = pairs(op, [["a"], ["b", "c"], []] * 20)
    assert_equal({first for first, _, _ in made}, {"b"}, "first sentences")
    assert_equal({second for _, second, _ in made}, {"a", "b", "c"}, "second sentences")


@pytest.mark.parametrize("documents", [[], [["a", "b"]], [["a", "b"], []]], ids=str)
def test_fewer_than_two_documents_are_refused(op, documents):
    with refused("one document"):
        pairs(op, documents)


# The loss

def test_a_worked_example(op):
    # p = (1/4, 3/4), and it follows: log 4; p = (1/2, 1/2): log 2
    loss, (dlogits,) = op.run((np.log([[1.0, 3.0], [2.0, 2.0]]), np.array([0, 1])), np.array(2.0))
    assert_close(loss, (math.log(4) + math.log(2)) / 2, "loss")
    assert_close(dlogits, np.array([[-3 / 4, 3 / 4], [1 / 2, -1 / 2]]), "dlogits")


def test_it_agrees_with_pytorch(op):
    inputs = example(9)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


def test_a_coin_costs_log_2(op):
    assert_close(op.forward((np.zeros((4, 2)), np.array([0, 1, 1, 0]))), math.log(2), "loss")


def test_the_two_classes_are_not_the_same(op):
    logits = np.array([[3.0, -3.0]])
    right, wrong = (op.forward((logits, np.array([label]))) for label in (0, 1))
    assert_close(wrong - right, 6.0, "difference")


def test_large_scores_do_not_overflow(op):
    assert_close(op.forward((np.array([[1e4, -1e4]]), np.array([1]))), 2e4, "loss")


def test_no_pairs_cost_nothing(op):
    loss, (dlogits,) = op.run((np.zeros((0, 2)), np.zeros(0, dtype=np.int64)), ONE)
    assert_close(loss, 0.0, "loss")
    assert dlogits.shape == (0, 2)


def test_a_single_pair_costs_its_surprise(op):
    assert_close(op.forward((np.log([[0.2, 0.8]]), np.array([1]))), math.log(1.25), "loss")


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (4,), (2, 2, 2)])
def test_other_than_two_scores_a_pair_are_refused(op, shape):
    with refused(f"scores of shape {shape}"):
        op.forward((np.zeros(shape), np.zeros(shape[:-1], dtype=np.int64)))


def test_strided_and_expanded_arrays_give_the_same(op):
    logits, labels = example(10)
    expected = named(REFERENCE.run((logits[::2].copy(), labels[::2].copy()), ONE))
    assert_close(named(op.run((logits[::2], labels[::2]), ONE)), expected, "result")


def test_inputs_are_left_untouched(op):
    logits, labels = example(6)
    with untouched(logits=logits, labels=labels):
        op.run((logits, labels), ONE)


def test_float32_stays_float32(op):
    logits, labels = example(6)
    assert all(a.dtype == np.float32 for a in named(op.run((logits.astype(np.float32), labels), ONE)).values())


@hypothesis.given(B=st.integers(1, 20), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, B, seed):
    assert_close(named(op.run(example(B, seed), ONE)), named(REFERENCE.run(example(B, seed), ONE)), "result")


def test_the_reference_gradient_equals_finite_differences():
    forward, backward = reference.next_sentence_forward, reference.next_sentence_backward
    assert max(gradient_errors(forward, backward, example(4), ONE)) < 1e-8
