"""The tiles of attention in NumPy: the values of the whole, and each tile where it should be."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.reference.attention import attention_backward, attention_forward
from minigpt.reference.tiled import attention as tiled

SHAPES = [(1, 2, 1, 40, 40, 5, 5), (2, 4, 2, 33, 70, 16, 16), (1, 2, 2, 70, 33, 20, 6)]       # B, H, G, T, S, D, E


def problem(B, H, G, T, S, D, E):
    """q, k, v, dy, and a mask that hides the first keys."""
    rng = np.random.default_rng(T)
    arrays = (rng.normal(size=shape) for shape in ((B, H, T, D), (B, G, S, D), (B, G, S, E), (B, H, T, E)))
    return *arrays, (rng.random((B, S)) < 0.7) & (np.arange(S) > S // 2)


@hypothesis.given(B=st.integers(1, 2), G=st.integers(1, 2), size=st.integers(1, 3), T=st.integers(1, 40),
                  S=st.integers(1, 40), causal=st.booleans(), masked=st.booleans(), BLOCK_T=st.sampled_from([1, 4, 16]),
                  BLOCK_S=st.sampled_from([1, 4, 16]))
def test_tiles_of_any_size_agree_with_the_whole_to_1e_12(B, G, size, T, S, causal, masked, BLOCK_T, BLOCK_S):
    q, k, v, dy, key_mask = problem(B, G * size, G, T, S, 3, 2)
    options = {"causal": causal, "key_mask": key_mask if masked else None}
    expected, whole = attention_forward(q, k, v, **options)
    y, cache = tiled.attention_forward(q, k, v, **options, BLOCK_T=BLOCK_T, BLOCK_S=BLOCK_S)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    for got, right in zip(tiled.attention_backward(dy, cache), attention_backward(dy, whole), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_every_pair_that_may_meet_is_in_one_tile_and_tiles_beyond_the_diagonal_are_not_visited(sizes, causal):
    q, k, v, dy, _ = problem(*sizes)
    T, S, memory = q.shape[2], k.shape[2], tiled.Memory()
    _, cache = tiled.attention_forward(q, k, v, causal=causal, BLOCK_T=8, BLOCK_S=16)
    tiled.attention_backward(dy, cache, memory=memory)
    may_meet = np.tri(T, S, S - T, dtype=bool) if causal else np.ones((T, S), dtype=bool)
    assert sorted(memory.tiles["dkdv"]) == sorted(memory.tiles["dq"]) == sorted(cache.tiles)
    places = {(t0, s0): may_meet[t0:t0 + 8, s0:s0 + 16] for t0 in range(0, T, 8) for s0 in range(0, S, 16)}
    assert {(t0, s0) for t0, s0, _ in cache.tiles} == {place for place, tile in places.items() if tile.any()}
    assert len(cache.tiles) == len(set(cache.tiles))
    for t0, s0, is_diagonal in cache.tiles:            # a tile without masks is whole
        assert is_diagonal or (places[t0, s0].all() and s0 + 16 <= S)


def test_the_cache_is_left_as_it_was():
    q, k, v, dy, _ = problem(*SHAPES[0])
    _, cache = tiled.attention_forward(q, k, v, causal=True)
    before = [x.copy() for x in cache[:3]], cache.loaded.copy(), list(cache.tiles)
    tiled.attention_backward(dy, cache)
    np.testing.assert_array_equal(before[0][0], cache.q)
    assert before[1:] == (cache.loaded, cache.tiles)
