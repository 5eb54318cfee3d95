"""The contract of the exercise generation.4: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close


def example():
    """Its entropy is 1.28 nats; the surprises are 0.69, 1.61, 2.08, 2.53, 2.41."""
    return np.array([0.5, 0.2, 0.125, 0.08, 0.095])


def probabilities(*shape, seed=0):
    p = np.random.default_rng(seed).random(shape) ** 3 + 1e-3
    return p / p.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("mass", "expected"), [
    (0.1, [0, 1, 0, 0, 0]),                            # 0.2 is the most typical one, though 0.5 is likelier
    (0.3, [5 / 7, 2 / 7, 0, 0, 0]),
    (0.75, [0.5 / 0.825, 0.2 / 0.825, 0.125 / 0.825, 0, 0]),
    (0.9, [0.5 / 0.92, 0.2 / 0.92, 0.125 / 0.92, 0, 0.095 / 0.92]),
])
def test_a_worked_example(op, mass, expected):
    assert_close(op.call("typical", example(), mass), np.array(expected), "p")


def test_each_row_has_its_own_entropy(op):
    rows = np.array([[0.9, 0.05, 0.05], [0.4, 0.3, 0.3], [0.5, 0.2, 0.3]])
    each = np.concatenate([op.call("typical", row[None].copy(), 0.25) for row in rows])
    assert_close(op.call("typical", rows, 0.25), each, "p")
    assert_close(each, np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), "p")


@pytest.mark.parametrize("mass", [0.05, 0.5, 0.95, 1.0])
def test_every_row_sums_to_one(op, mass):
    assert_close(op.call("typical", probabilities(2, 3, 9), mass).sum(axis=-1), np.ones((2, 3)), "sum of a row")


def test_a_mass_that_is_reached_exactly_is_enough(op):
    p = np.array([0.5, 0.25, 0.125, 0.125])            # entropy 1.75 bits; surprises 1, 2, 3, 3
    assert_close(op.call("typical", p, 0.25), np.array([0, 1, 0, 0]), "p")
    assert_close(op.call("typical", p, 0.75), np.array([2 / 3, 1 / 3, 0, 0]), "p")


def test_of_equally_typical_tokens_the_lowest_ids_stay(op):
    assert_close(op.call("typical", np.full(4, 0.25), 0.5), np.array([0.5, 0.5, 0, 0]), "p")


def test_an_impossible_token_stays_impossible_and_adds_nothing(op):
    with_zero = np.insert(example(), 2, 0)
    assert_close(op.call("typical", with_zero, 0.75), np.insert(op.call("typical", example(), 0.75), 2, 0), "p")


def test_a_certain_token_stays_certain(op):
    assert_close(op.call("typical", np.array([0.0, 1.0, 0.0]), 0.2), np.array([0.0, 1.0, 0.0]), "p")


def test_a_single_token_stays_certain(op):
    assert_close(op.call("typical", np.ones((2, 1)), 0.7), np.ones((2, 1)), "p")


def test_float32_stays_float32(op):
    assert op.call("typical", example().astype(np.float32), 0.3).dtype == np.float32


def test_the_input_is_left_untouched(op):
    p = example()
    op.call("typical", p, 0.3)
    assert_close(p, example(), "probabilities, afterwards,")


@hypothesis.given(shape=st.sampled_from([(5,), (1, 7), (3, 4), (2, 3, 6)]), mass=st.floats(0.01, 0.99),
                  seed=st.integers(0, 99))
def test_what_stays_keeps_its_proportions_and_is_the_most_typical(op, shape, mass, seed):
    p = probabilities(*shape, seed=seed)
    y = op.call("typical", p, mass)
    away = np.abs(-np.log(p) + (p * np.log(p)).sum(axis=-1, keepdims=True))
    for row, kept, far in zip(p.reshape(-1, shape[-1]), y.reshape(p.reshape(-1, shape[-1]).shape),
                              away.reshape(-1, shape[-1]), strict=True):
        stays = kept > 0
        assert_close(kept, np.where(stays, row, 0) / row[stays].sum(), "p")
        assert far[stays].max() <= far[~stays].min(initial=np.inf)
        assert row[stays].sum() >= mass - 1e-9
        assert row[stays].sum() - row[np.where(stays, far, -1).argmax()] < mass + 1e-9
