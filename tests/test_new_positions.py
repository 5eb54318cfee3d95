"""The contract of the exercise generation.3: new tokens are numbered as our cache numbers them, in whatever pieces."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
from test_transformer import CONFIGS, parameters

from minigpt.grading.compare import assert_close, untouched
from minigpt.reference.kv_cache import KVCache
from minigpt.reference.transformer import transformer_forward

CONFIG = CONFIGS["llama"]                              # positions turn queries and keys; context_length 6


def numbered(op, length, real):
    return op.call("new_positions", length, np.array(real, dtype=bool))


def assert_numbered(got, expected, real, what="positions"):
    """The positions of real tokens are right; those of padding may be any. Both (B,T)."""
    got, real = np.asarray(got), np.asarray(real, dtype=bool)
    assert_close(np.where(real, got, 0) if got.shape == real.shape else got, np.where(real, expected, 0), what)


class Theirs(KVCache):
    """Our cache with the positions of an implementation."""

    def __init__(self, op, config):
        super().__init__(config)
        self.op = op

    def reserve(self, ids, key_mask=None):
        super().reserve(ids, key_mask)
        end = self.length + ids.shape[1]
        real = np.ones((len(ids), end), dtype=bool) if self.real is None else self.real[:, :end]
        self.positions = np.clip(np.asarray(self.op.call("new_positions", self.length, real)), 0, end - 1)
        return self.positions


def test_a_worked_example(op):
    # three tokens are there, two come: they are the fourth and the fifth, numbers 3 and 4
    assert_close(numbered(op, 3, [[1, 1, 1, 1, 1]]), np.array([[3, 4]]), "positions")


def test_a_prompt_begins_at_0(op):
    assert_close(numbered(op, 0, [[1, 1, 1, 1]]), np.array([[0, 1, 2, 3]]), "positions")


def test_one_token_at_a_time_goes_on(op):
    for t in range(5):
        assert_close(numbered(op, t, [[1] * (t + 1)]), np.array([[t]]), f"positions of token {t}")


def test_padding_that_came_before_is_not_counted(op):
    # the second text is shorter: two places before it are filled up
    assert_close(numbered(op, 4, [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]), np.array([[4], [2]]), "positions")


def test_padding_among_the_new_tokens_is_not_counted(op):
    real = [[1, 1, 0, 1], [1, 0, 1, 1]]
    assert_numbered(numbered(op, 1, real), [[1, 0, 2], [0, 1, 2]], np.array(real)[:, 1:])


def test_positions_are_whole_numbers(op):
    assert np.issubdtype(np.asarray(numbered(op, 2, [[1, 0, 1, 1]])).dtype, np.integer)


def test_no_new_tokens_have_no_positions(op):
    assert np.shape(numbered(op, 3, [[1, 1, 1]])) == (1, 0)


def test_what_is_given_is_left_untouched(op):
    real = np.array([[True, False, True, True]])
    with untouched(real=real):
        op.call("new_positions", 2, real)


def test_a_model_that_reads_in_pieces_says_what_it_says_of_the_whole(op):
    ids, params = np.array([[1, 5, 2, 2, 0, 3], [6, 6, 3, 1, 4, 0]]), parameters(CONFIG)
    whole, _ = transformer_forward(ids, params, CONFIG)
    cache, at = Theirs(op, CONFIG), 0
    for T in (3, 1, 2):
        logits, _ = transformer_forward(ids[:, at:at + T], params, CONFIG, cache=cache)
        assert_close(logits, whole[:, at:at + T], f"logits of tokens {at} to {at + T - 1}")
        at += T


@hypothesis.given(sizes=st.lists(st.integers(1, 2), min_size=1, max_size=3), B=st.integers(1, 3),
                  seed=st.integers(0, 99))
def test_any_pieces_with_any_padding_agree_with_our_cache(op, sizes, B, seed):
    rng, ours, real = np.random.default_rng(seed), KVCache(CONFIG), np.zeros((B, 0), dtype=bool)
    for T in sizes:
        new = rng.random((B, T)) < 0.7
        real = np.concatenate([real, new], axis=1)
        expected = np.broadcast_to(ours.reserve(np.zeros((B, T), dtype=np.int64), new), (B, T))
        assert_numbered(op.call("new_positions", ours.length, real), expected, new)
        ours.advance()
