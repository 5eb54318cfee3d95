"""The contract of the exercise transformer.2: the columns of an array shared out among heads, and put together."""
import hypothesis
import hypothesis.strategies as st
import numpy as np

from minigpt.grading.compare import assert_close, may_refuse, untouched


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_two_heads_of_a_worked_example(op):
    # two positions of four columns: the first head takes columns 1 and 2 of both
    x = np.array([[[1.0, 2, 3, 4], [5, 6, 7, 8]]])
    assert_close(op.call("split_heads", x, 2), np.array([[[[1.0, 2], [5, 6]], [[3, 4], [7, 8]]]]))


def test_a_worked_example_of_merging(op):
    x = np.array([[[[1.0, 2], [5, 6]], [[3, 4], [7, 8]]]])
    assert_close(op.call("merge_heads", x), np.array([[[1.0, 2, 3, 4], [5, 6, 7, 8]]]))


def test_each_head_has_its_columns_at_all_positions(op):
    x = normal(2, 5, 12)
    heads = op.call("split_heads", x, 3)
    for h in range(3):
        assert_close(heads[:, h], x[:, :, 4 * h:4 * h + 4], f"head {h}")


def test_merging_puts_the_columns_of_the_heads_in_a_row(op):
    heads = normal(2, 3, 5, 4)
    assert_close(op.call("merge_heads", heads), np.concatenate([heads[:, h] for h in range(3)], axis=-1))


def test_one_head_is_all_columns(op):
    x = normal(2, 4, 6)
    assert_close(op.call("split_heads", x, 1), x[:, None])
    assert_close(op.call("merge_heads", x[:, None]), x)


def test_heads_of_one_column_are_columns(op):
    x = normal(1, 4, 3)
    assert_close(op.call("split_heads", x, 3), x.swapaxes(1, 2)[..., None])
    assert_close(op.call("merge_heads", x.swapaxes(1, 2)[..., None]), x)


def test_a_text_of_one_position_has_heads_too(op):
    assert_close(op.call("split_heads", normal(3, 1, 4), 2), normal(3, 1, 4).reshape(3, 2, 1, 2))


def test_no_texts_have_heads_too(op):
    with may_refuse(op):
        assert_close(op.call("split_heads", normal(0, 5, 4), 2), np.zeros((0, 2, 5, 2)))
        assert_close(op.call("merge_heads", normal(0, 2, 5, 2)), np.zeros((0, 5, 4)))


def test_float32_stays_float32(op):
    assert op.call("split_heads", normal(2, 3, 4).astype(np.float32), 2).dtype == np.float32
    assert op.call("merge_heads", normal(2, 2, 3, 2).astype(np.float32)).dtype == np.float32


def test_inputs_are_left_untouched(op):
    x, heads = normal(2, 3, 4), normal(2, 2, 3, 2)
    with untouched(x=x, heads=heads):
        op.call("split_heads", x, 2)
        op.call("merge_heads", heads)


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), H=st.integers(1, 4), D=st.integers(1, 4))
def test_merging_what_was_split_gives_any_array_back(op, B, T, H, D):
    x = normal(B, T, H * D)
    heads = op.call("split_heads", x, H)
    assert_close(heads, np.stack(np.split(x, H, axis=-1), axis=1))
    assert_close(op.call("merge_heads", heads), x)
