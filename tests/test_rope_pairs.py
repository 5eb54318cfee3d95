"""The contract of rope_pairs: the same rows in another order, so that another pairing gives the same model."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.grading.compare import assert_close, may_refuse, refused, untouched
from minigpt.reference import rope_pairs as reference
from minigpt.reference.rope import rope_forward

WAYS = ("halves_from_neighbours", "neighbours_from_halves")


def weight(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_pytorch(way, w, n_head):
    """Row by row: where each comes from."""
    D = len(w) // n_head
    order = [h * D + 2 * i + s for h in range(n_head) for s in range(2) for i in range(D // 2)]
    order = order if way == WAYS[0] else torch.tensor(order).argsort().tolist()
    return torch.from_numpy(w.copy())[order].numpy()


def rope_of_neighbours(x, positions, theta=10000.0):
    """Rope as the paper has it: features 2i and 2i + 1 as a complex number, turned."""
    pairs = x[..., ::2] + 1j * x[..., 1::2]
    D = x.shape[-1]
    turned = pairs * np.exp(1j * positions[:, None] * theta ** (-np.arange(0, D, 2) / D))
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def test_a_worked_example(op):
    rows = np.arange(8.0)[:, None]                     # two heads of width 4
    assert_close(op.call(WAYS[0], rows, 2)[:, 0], np.array([0.0, 2, 1, 3, 4, 6, 5, 7]))
    rows = np.arange(6.0)[:, None]                     # one head of width 6
    assert_close(op.call(WAYS[0], rows, 1)[:, 0], np.array([0.0, 2, 4, 1, 3, 5]))
    assert_close(op.call(WAYS[1], rows, 1)[:, 0], np.array([0.0, 3, 1, 4, 2, 5]))


@pytest.mark.parametrize("way", WAYS)
def test_it_agrees_with_pytorch_row_by_row(op, way):
    w = weight(24, 5)
    assert_close(op.call(way, w, 3), by_pytorch(way, w, 3))


@pytest.mark.parametrize("way", WAYS)
def test_it_agrees_with_the_reference(op, way):
    w = weight(2 * 16, 3, seed=1)
    assert_close(op.call(way, w, 2), getattr(reference, way)(w, 2))


def test_one_undoes_the_other(op):
    w = weight(24, 5)
    assert_close(op.call(WAYS[1], op.call(WAYS[0], w, 3), 3), w)
    assert_close(op.call(WAYS[0], op.call(WAYS[1], w, 3), 3), w)


def test_scores_of_reordered_queries_and_keys_are_those_of_the_paper_s_pairs(op):
    H, G, D, T, C = 4, 2, 8, 5, 6
    x, query, key, positions = weight(T, C), weight(H * D, C, seed=1), weight(G * D, C, seed=2), np.arange(T)

    def scores(query, key, rope):
        q = rope((x @ query.T).reshape(T, H, D).swapaxes(0, 1), positions)        # (H,T,D)
        k = rope((x @ key.T).reshape(T, G, D).swapaxes(0, 1), positions)          # (G,T,D)
        return q @ k.repeat(H // G, axis=0).swapaxes(-1, -2)                      # (H,T,T)
    theirs = scores(query, key, rope_of_neighbours)
    ours = scores(op.call(WAYS[0], query, H), op.call(WAYS[0], key, G), lambda x, t: rope_forward(x, t)[0])
    assert_close(ours, theirs)


@pytest.mark.parametrize("way", WAYS)
def test_a_head_of_a_single_pair_stays_as_it_is(op, way):
    assert_close(op.call(way, weight(6, 2), 3), weight(6, 2))


@pytest.mark.parametrize("way", WAYS)
def test_a_bias_is_reordered_as_its_weight_is(op, way):
    w = weight(12, 3)
    assert_close(op.call(way, np.ascontiguousarray(w[:, 0]), 2), op.call(way, w, 2)[:, 0])


@pytest.mark.parametrize("way", WAYS)
def test_no_columns_are_no_columns(op, way):
    with may_refuse(op):
        assert op.call(way, np.zeros((8, 0)), 2).shape == (8, 0)


@pytest.mark.parametrize("way", WAYS)
def test_huge_numbers_only_move(op, way):
    w = np.array([1e300, -1e300, np.inf, 1e-300, 0, 1, 2, 3])[:, None]
    assert_close(np.sort(op.call(way, w, 2), axis=0), np.sort(w, axis=0), tolerance=(0, 0))


@pytest.mark.parametrize("way", WAYS)
def test_strided_and_expanded_arrays_give_the_same(op, way):
    w = weight(5, 16).T[:, ::2]
    assert_close(op.call(way, w, 2), by_pytorch(way, w, 2))
    wide = np.broadcast_to(weight(16, 1), (16, 3))
    assert_close(op.call(way, wide, 2), by_pytorch(way, wide, 2))


@pytest.mark.parametrize("way", WAYS)
def test_the_weight_is_left_untouched(op, way):
    w = weight(16, 3)
    with untouched(w=w):
        op.call(way, w, 2)


@pytest.mark.parametrize("way", WAYS)
def test_float32_stays_float32(op, way):
    assert op.call(way, weight(16, 3).astype(np.float32), 2).dtype == np.float32


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("rows", "n_head"), [(10, 3), (9, 3), (3, 1)])
def test_rows_that_are_no_pairs_of_heads_are_refused(op, way, rows, n_head):
    with refused(f"{rows} rows of {n_head} heads"):
        op.call(way, weight(rows, 2), n_head)


@hypothesis.given(H=st.integers(1, 4), pairs=st.integers(1, 6), C=st.integers(0, 3), way=st.sampled_from(WAYS))
def test_any_shape_agrees_with_pytorch_row_by_row(op, H, pairs, C, way):
    w = weight(H * pairs * 2, C)
    assert_close(op.call(way, w, H), by_pytorch(way, w, H))
