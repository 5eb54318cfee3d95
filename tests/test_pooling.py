"""The contract of pooling."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse, refused, untouched
from minigpt.grading.op import Op, implementations
from minigpt.reference import pooling as reference

WAYS = ["first", "mean", "last"]
MASK = np.array([[True, True, False, False], [True, True, True, True], [False, True, False, True]])


def by_pytorch(h, mask=None, how="mean"):
    mask = torch.ones(h.shape[:2], dtype=torch.bool) if mask is None else mask
    rows = []
    for vectors, kept in zip(h, mask, strict=True):
        own = vectors[kept]
        nothing = vectors.sum(dim=0) * 0
        rows.append(vectors[0] if how == "first" else nothing if not len(own) else
                    own[-1] if how == "last" else own.mean(dim=0))
    return torch.stack(rows) if rows else h.sum(dim=1)


REFERENCE = Op("pooling", "reference", vars(reference))
PYTORCH = Op("pooling", "PyTorch, text by text", {"pooling": by_pytorch}, is_torch=True)


def vectors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def named(run):
    y, (dh,) = run
    return {"y": y, "dh": dh}


@pytest.mark.parametrize(("how", "y", "dh"), [
    ("first", [1, 2], [[1, 0], [0, 0], [0, 0]]), ("mean", [2, 3], [[0.5, 0], [0.5, 0], [0, 0]]),
    ("last", [3, 4], [[0, 0], [1, 0], [0, 0]])])
def test_a_worked_example(op, how, y, dh):
    h, mask = np.array([[[1.0, 2.0], [3.0, 4.0], [500.0, 600.0]]]), np.array([[True, True, False]])
    got = named(op.run((h,), np.array([[1.0, 0.0]]), mask=mask, how=how))
    assert_close(got, {"y": np.array([y], dtype=float), "dh": np.array([dh], dtype=float)}, "result")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "padded"])
def test_it_agrees_with_pytorch(op, how, mask):
    h, dy = vectors(3, 4, 5), vectors(3, 5, seed=1)
    expected = named(PYTORCH.run((h,), dy, mask=mask, how=how))
    assert_close(named(op.run((h,), dy, mask=mask, how=how)), expected, "result")


@pytest.mark.parametrize("how", ["mean", "last"])
def test_padding_has_no_influence_and_gets_no_gradient(op, how):
    h, dy = vectors(3, 4, 5), vectors(3, 5, seed=1)
    before, (dh,) = op.run((h,), dy, mask=MASK, how=how)
    assert_close(dh[~MASK], np.zeros((4, 5)), "dh of padding")
    h[~MASK] += 1000
    assert_close(op.forward((h,), mask=MASK, how=how), before)


def test_more_padding_changes_nothing(op):
    h, mask = vectors(3, 4, 5), MASK
    longer = np.concatenate([h, vectors(3, 6, 5, seed=2)], axis=1)
    wider = np.concatenate([mask, np.zeros((3, 6), dtype=bool)], axis=1)
    for how in WAYS:
        assert_close(op.forward((longer,), mask=wider, how=how), op.forward((h,), mask=mask, how=how))


def test_the_mean_is_what_it_is_unless_told(op):
    h = vectors(2, 4, 3)
    assert_close(op.forward((h,)), h.mean(axis=1))


@pytest.mark.parametrize("how", ["mean", "last"])
def test_a_text_without_tokens_is_zero(op, how):
    y, (dh,) = op.run((vectors(2, 3, 4),), np.ones((2, 4)), mask=np.array([[False] * 3, [True] * 3]), how=how)
    assert_close(y[0], np.zeros(4))
    assert_close(dh[0], np.zeros((3, 4)), "dh")
    assert np.abs(y[1]).min() > 0


@pytest.mark.parametrize("how", WAYS)
def test_a_single_token_is_the_text(op, how):
    h = vectors(2, 1, 4)
    assert_close(op.forward((h,), how=how), h[:, 0])


@pytest.mark.parametrize("how", WAYS)
def test_no_texts_give_no_vectors(op, how):
    with may_refuse(op):
        y, (dh,) = op.run((np.zeros((0, 3, 4)),), np.zeros((0, 4)), how=how)
        assert (y.shape, dh.shape) == ((0, 4), (0, 3, 4))


def test_another_name_is_refused(op):
    with refused("how='max'"):
        op.forward((vectors(1, 2, 3),), how="max")


def test_large_numbers_do_not_overflow(op):
    h = np.full((1, 3, 2), 1e30)
    assert_close(op.forward((h,)), np.full((1, 2), 1e30), tolerance=(1e-5, 0))


@pytest.mark.parametrize("how", WAYS)
def test_strided_and_expanded_arrays_give_the_same(op, how):
    h, dy = vectors(4, 6, 5).transpose(1, 0, 2)[::2], vectors(1, 5)
    dy = np.lib.stride_tricks.as_strided(dy, (3, 5), (0, dy.strides[1]))
    mask = np.array([[True, False, True, True]] * 3)
    expected = named(REFERENCE.run((h.copy(),), dy.copy(), mask=mask, how=how))
    assert_close(named(op.run((h,), dy, mask=mask, how=how)), expected, "result")


def test_inputs_are_left_untouched(op):
    h, dy, mask = vectors(3, 4, 5), vectors(3, 5, seed=1), MASK.copy()
    with untouched(h=h, dy=dy, mask=mask):
        for how in WAYS:
            op.run((h,), dy, mask=mask, how=how)


@pytest.mark.parametrize("how", WAYS)
def test_float32_stays_float32(op, how):
    h, dy = vectors(3, 4, 5).astype(np.float32), vectors(3, 5).astype(np.float32)
    assert all(a.dtype == np.float32 for a in named(op.run((h,), dy, mask=MASK, how=how)).values())


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), C=st.integers(1, 4), how=st.sampled_from(WAYS),
                  seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, B, T, C, how, seed):
    h, dy, mask = vectors(B, T, C, seed=seed), vectors(B, C, seed=seed + 10), vectors(B, T, seed=seed + 20) > 0
    if how == "first":
        mask[:, 0] |= ~mask.any(axis=1)                # without tokens 0 is right, too
    got = named(op.run((h,), dy, mask=mask, how=how))
    assert_close(got, named(REFERENCE.run((h,), dy, mask=mask, how=how)), "result")


@pytest.mark.parametrize("ours", implementations("pooling"), ids=lambda op: op.name)
def test_the_first_of_a_text_without_tokens_is_what_is_there_in_ours(ours):
    h = vectors(1, 3, 4)
    assert_close(ours.forward((h,), mask=np.zeros((1, 3), dtype=bool), how="first"), h[:, 0])


@pytest.mark.parametrize("how", WAYS)
def test_the_reference_gradient_equals_finite_differences(how):
    def forward(h):
        return reference.pooling_forward(h, MASK, how)
    assert max(gradient_errors(forward, reference.pooling_backward, (vectors(3, 4, 2),), vectors(3, 2, seed=1))) < 1e-8
