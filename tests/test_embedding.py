"""The contract of embedding."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt import fused
from minigpt.embedding import Embedding
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import embedding as reference

REFERENCE = Op("embedding", "reference", vars(reference))
PYTORCH = Op("embedding", "PyTorch's own", {"embedding": torch.nn.functional.embedding}, is_torch=True)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def some_ids(*shape, V, seed=0):
    return np.random.default_rng(seed).integers(0, V, shape)


def named(run):
    y, (dweight,) = run
    return {"y": y, "dweight": dweight}


def assert_refused(op, id, V):
    try:
        op.forward((np.array([0, id]), values(V, 3)))
    except (IndexError, ValueError):
        return
    raise AssertionError(f"id {id} of a table with {V} rows was not refused")


def test_a_worked_example(op):
    weight, dy = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    y, (dweight,) = op.run((np.array([2, 0, 2]), weight), dy)
    assert_close(y, np.array([[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]))
    assert_close(dweight, np.array([[2.0, 20.0], [0.0, 0.0], [5.0, 50.0]]), "dweight")


def test_it_agrees_with_pytorch(op):
    inputs, dy = (some_ids(3, 8, V=11), values(11, 5)), values(3, 8, 5, seed=1)
    assert_close(named(op.run(inputs, dy)), named(PYTORCH.run(inputs, dy)), "result")


def test_a_row_that_is_never_looked_up_has_gradient_zero(op):
    _, (dweight,) = op.run((np.array([0, 2]), values(4, 3)), values(2, 3))
    assert_close(dweight[[1, 3]], np.zeros((2, 3)), "dweight of rows 1 and 3")


def test_looking_up_every_id_once_gives_the_table_and_the_gradient_itself(op):
    weight, dy = values(6, 3), values(6, 3, seed=1)
    assert_close(named(op.run((np.arange(6), weight), dy)), {"y": weight, "dweight": dy}, "result")


def test_an_id_that_fills_a_batch_collects_all_of_its_gradients(op):
    _, (dweight,) = op.run((np.full((20, 50), 1), values(3, 2)), np.ones((20, 50, 2)))
    assert_close(dweight, np.array([[0.0, 0.0], [1000.0, 1000.0], [0.0, 0.0]]), "dweight")


def test_the_gradient_is_the_same_bit_for_bit_every_time(op):
    ids, weight, dy = some_ids(4000, V=3), values(3, 128).astype(np.float32), values(4000, 128).astype(np.float32)
    _, (first,) = op.run((ids, weight), dy)
    for _ in range(30):
        _, (again,) = op.run((ids, weight), dy)
        assert (first == again).all(), "dweight differs from run to run"


def test_an_id_beyond_the_table_is_refused(op):
    assert_refused(op, 4, V=4)


def test_a_negative_id_is_refused(op):
    assert_refused(op, -1, V=4)


def test_a_single_id_gives_a_single_row(op):
    weight, dy = values(4, 3), values(3, seed=1)
    y, (dweight,) = op.run((np.array(2), weight), dy)
    assert_close(y, weight[2])
    assert_close(dweight, np.stack([0 * dy, 0 * dy, dy, 0 * dy]), "dweight")


def test_a_table_of_one_row_gives_that_row(op):
    y, (dweight,) = op.run((np.zeros((1, 1), dtype=np.int64), np.array([[7.0]])), np.array([[[3.0]]]))
    assert_close(y, np.array([[[7.0]]]))
    assert_close(dweight, np.array([[3.0]]), "dweight")


def test_no_ids_give_no_rows_and_a_gradient_of_zero(op):
    got = named(op.run((np.zeros((2, 0), dtype=np.int64), values(4, 3)), np.zeros((2, 0, 3))))
    assert_close(got, {"y": np.zeros((2, 0, 3)), "dweight": np.zeros((4, 3))}, "result")


def test_large_and_tiny_values_come_back_as_they_are(op):
    weight = np.array([[1e300, -1e-300], [-np.inf, 0.0]])
    assert_close(op.forward((np.array([1, 0]), weight)), weight[::-1])


def test_strided_and_expanded_arrays_give_the_same(op):
    ids, weight, dy = some_ids(6, 8, V=5).T[::2], values(10, 6)[::2, ::3], values(1, 6, 2, seed=1)
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 6, 2), (0, *dy.strides[1:]))
    expected = REFERENCE.run((ids.copy(), weight.copy()), expanded.copy())
    assert_close(named(op.run((ids, weight), expanded)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    arrays = some_ids(7, V=4), values(4, 3), values(7, 3, seed=1)
    before = [a.copy() for a in arrays]
    op.run(arrays[:2], arrays[2])
    for a, b, name in zip(arrays, before, ("ids", "weight", "dy"), strict=True):
        assert_close(a, b, f"{name}, afterwards,")


def test_float32_stays_float32(op):
    got = named(op.run((some_ids(7, V=4), values(4, 3).astype(np.float32)), values(7, 3).astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())


@hypothesis.given(n=st.integers(0, 9), V=st.integers(1, 9), C=st.integers(1, 5), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, V, C, seed):
    inputs, dy = (some_ids(n, V=V, seed=seed), values(V, C, seed=seed)), values(n, C, seed=seed + 1)
    assert_close(named(op.run(inputs, dy)), named(REFERENCE.run(inputs, dy)), "result")


def test_the_reference_gradient_equals_finite_differences():
    inputs, dy = (some_ids(2, 5, V=4), values(4, 3)), values(2, 5, 3, seed=1)
    errors = gradient_errors(reference.embedding_forward, reference.embedding_backward, inputs, dy)
    assert max(errors) < 1e-8


def test_ids_stored_in_few_bits_give_the_same_gradient():
    ids, weight, dy = some_ids(50, V=200), values(200, 400), values(50, 400, seed=1)
    expected = REFERENCE.run((ids, weight), dy)
    assert_close(named(REFERENCE.run((ids.astype(np.uint8), weight), dy)), named(expected), "result")


@pytest.mark.parametrize("bad", [-1, 4])
@pytest.mark.parametrize("embedding", [reference.embedding_forward, minigpt.embedding.embedding, fused.embedding])
def test_the_refusal_names_the_id_and_the_size_of_the_table(embedding, bad):
    as_arrays = np.asarray if embedding is reference.embedding_forward else torch.tensor
    with pytest.raises(IndexError, match=rf"id {bad} .*V=4"):
        embedding(as_arrays([0, bad]), as_arrays([[0.0]] * 4))


def test_the_module_starts_with_a_small_normal_table():
    weight = Embedding(300, 200, generator=torch.Generator().manual_seed(0)).weight
    assert weight.shape == (300, 200)
    assert abs(weight.std().item() - 0.02) < 4 * 0.02 / (2 * 60_000) ** 0.5            # four standard errors


def test_the_module_computes_what_stands_in_for_embedding():
    module, ids = Embedding(4, 2), torch.tensor([1])
    with minigpt.use(embedding=lambda ids, weight: weight[ids] + 7):
        torch.testing.assert_close(module(ids), module.weight[1:2] + 7)
