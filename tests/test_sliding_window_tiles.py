"""The contract of the exercise attention_kernel.3: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import Mismatch
from minigpt.reference.tiled.attention import attention_forward

NAME = "sliding_window_tiles"


def by_looking(T, window, BLOCK_T, BLOCK_S):
    """The tiles, found by looking at every pair of a query and a key."""
    t, s = np.arange(T)[:, None], np.arange(T + BLOCK_S)[None, :]                 # keys past the end: nobody sees them
    seen = (s <= t) & (s > t - window)
    found = [(t0, s0, seen[t0:t0 + BLOCK_T, s0:s0 + BLOCK_S])
             for t0 in range(0, T, BLOCK_T) for s0 in range(0, T, BLOCK_S)]
    return [(t0, s0, not bool(tile.all())) for t0, s0, tile in found if tile.any()]


def assert_tiles(op, expected, *problem):
    got = op.call(NAME, *problem)
    if got is None or [tuple(tile) for tile in got] != expected:
        raise Mismatch(f"T, window, BLOCK_T, BLOCK_S = {problem}: expected {expected!r:.200}, got {got!r:.200}", NAME,
                       got, expected)


def test_a_worked_example(op):
    # query 4 sees keys 1 to 4, query 5 keys 2 to 5: both see all of the tile from 2 on, and one sees key 1
    expected = [(0, 0, True), (2, 0, False), (2, 2, True), (4, 0, True), (4, 2, False), (4, 4, True)]
    assert_tiles(op, expected, 6, 4, 2, 2)


@pytest.mark.parametrize("T", [1, 8, 11])
def test_a_window_of_one_visits_the_diagonal_alone(op, T):
    assert_tiles(op, [(t0, t0, True) for t0 in range(0, T, 4)], T, 1, 4, 4)


def test_a_tile_of_one_query_and_one_key_needs_no_mask(op):
    assert_tiles(op, [(0, 0, False), (1, 0, False), (1, 1, False), (2, 1, False), (2, 2, False)], 3, 2, 1, 1)


@pytest.mark.parametrize(("T", "BLOCK_T", "BLOCK_S"), [(64, 16, 16), (60, 16, 8), (50, 8, 16), (7, 16, 16)])
def test_a_window_as_long_as_the_text_visits_the_tiles_of_causal_attention(op, T, BLOCK_T, BLOCK_S):
    _, cache = attention_forward(*np.zeros((3, 1, 1, T, 1)), causal=True, BLOCK_T=BLOCK_T, BLOCK_S=BLOCK_S)
    assert_tiles(op, cache.tiles, T, T, BLOCK_T, BLOCK_S)


def test_twice_the_text_with_one_window_has_about_twice_the_tiles(op):
    short, long = (len(op.call(NAME, T, 256, 128, 64)) for T in (4096, 8192))
    # each tile of queries sees 3 + 255 / 64 tiles of keys, rounded up, and fewer only where the text begins
    assert (short, long) == (32 * 6 - 6, 64 * 6 - 6)


@pytest.mark.parametrize("window", [1, 2, 15, 16, 17, 33, 1000])
@pytest.mark.parametrize(("BLOCK_T", "BLOCK_S"), [(16, 16), (32, 16), (16, 32)])
def test_tiles_are_those_in_which_somebody_sees_something(op, window, BLOCK_T, BLOCK_S):
    problem = (90, window, BLOCK_T, BLOCK_S)
    assert_tiles(op, by_looking(*problem), *problem)


@hypothesis.given(T=st.integers(1, 40), window=st.integers(1, 45), BLOCK_T=st.sampled_from([1, 2, 4, 8]),
                  BLOCK_S=st.sampled_from([1, 2, 4, 8]))
def test_any_text_window_and_tile(op, T, window, BLOCK_T, BLOCK_S):
    problem = (T, window, BLOCK_T, BLOCK_S)
    assert_tiles(op, by_looking(*problem), *problem)
