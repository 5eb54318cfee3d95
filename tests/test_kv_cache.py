"""The contract of the KV cache; that the model reads on with it is in test_transformer_cache.py."""
import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from test_transformer import CONFIGS, parameters, small

from minigpt import kv_cache as torch_cache
from minigpt import transformer as in_torch
from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference.kv_cache import KVCache
from minigpt.reference.transformer import transformer_forward
from minigpt.transformer import Transformer

CONFIG = small(n_layer=2, n_head=2, d_model=4)                # L=2, G=2, D=2, context_length 6
IDS = np.array([[1, 5, 2, 2, 0, 3], [6, 6, 3, 1, 4, 0]])


def new(op, config=CONFIG, *capacity):
    return op.get("KVCache")(config, *capacity)


def array(op, values):
    return torch.tensor(values) if op.is_torch else np.array(values)


def copied(values):
    return np.array(values.numpy() if isinstance(values, torch.Tensor) else values)


def reserve(op, cache, B, T, key_mask=None):
    """The positions of B x T new tokens."""
    mask = None if key_mask is None else array(op, key_mask)
    return op.record(copied(cache.reserve(array(op, np.zeros((B, T), dtype=np.int64)), mask)))


def append(op, cache, layer, k, v):
    """(keys, values, key_mask) so far; of no key_mask, a word."""
    keys, values, mask = cache.layers[layer].append(array(op, k), array(op, v))
    return op.record((copied(keys), copied(values), "no mask" if mask is None else copied(mask)))


def read(op, cache, ids, config=CONFIG, key_mask=None):
    """Logits (B,T,V) of ids that follow what the cache holds."""
    params, mask = parameters(config), None if key_mask is None else array(op, key_mask)
    if not op.is_torch:
        return op.record(transformer_forward(ids, params, config, key_mask=mask, cache=cache)[0])
    params = {name: torch.tensor(p) for name, p in params.items()}
    return op.record(in_torch.transformer(torch.tensor(ids), params, config, key_mask=mask, cache=cache).numpy())


def whole(ids, config=CONFIG):
    return transformer_forward(ids, parameters(config), config)[0]


def numbered(T, start=0.0):
    """(B,G,T,D) numbers that can be told apart."""
    return start + np.arange(2 * 2 * T * 2, dtype=float).reshape(2, 2, T, 2)


def test_a_worked_example(op):
    # two rows, two heads of width 2: three tokens and two more, whose keys and values stand behind the first
    cache, first, second = new(op), numbered(3), numbered(2, 100)
    reserve(op, cache, 2, 3)
    keys, values, mask = append(op, cache, 0, first, -first)
    assert_close(keys, first, "keys")
    assert_close(values, -first, "values")
    assert isinstance(mask, str)
    cache.advance()
    reserve(op, cache, 2, 2)
    keys, values, _ = append(op, cache, 0, second, -second)
    assert_close(keys, np.concatenate([first, second], axis=2), "keys")
    assert_close(values, -np.concatenate([first, second], axis=2), "values")


def test_each_layer_has_its_own(op):
    cache = new(op)
    reserve(op, cache, 2, 1)
    first, _, _ = append(op, cache, 0, numbered(1), numbered(1))
    append(op, cache, 1, numbered(1, 50), numbered(1, 50))
    assert_close(first, numbered(1), "keys of layer 0, after those of layer 1 came,")
    assert_close(append(op, cache, 0, numbered(1), numbered(1))[0], numbered(1), "keys of layer 0")


def test_positions_and_length_go_on(op):
    cache = new(op)
    for T, expected in ((2, [0, 1]), (1, [2]), (3, [3, 4, 5])):
        assert_close(reserve(op, cache, 1, T), np.array(expected), "positions")
        assert_close(copied(cache.layers[1].positions), np.array(expected), "positions of a layer")
        cache.advance()
    assert op.record(cache.length) == 6


def test_no_tokens_change_nothing(op):
    cache = new(op)
    assert reserve(op, cache, 2, 0).shape == (0,)
    assert append(op, cache, 0, numbered(0), numbered(0))[0].shape == (2, 2, 0, 2)
    cache.advance()
    assert op.record(cache.length) == 0


def test_a_single_token_at_a_time_fills_it_as_long_as_there_is_room(op):
    cache = new(op)
    logits = [read(op, cache, IDS[:, t:t + 1]) for t in range(6)]
    assert_close(np.concatenate(logits, axis=1), whole(IDS), "logits")


def test_strided_keys_and_values_are_kept_alike(op):
    cache, wide = new(op), numbered(6)
    reserve(op, cache, 2, 3)
    keys, values, _ = append(op, cache, 0, wide[:, :, ::2], wide[:, :, 1::2])
    assert_close(keys, wide[:, :, ::2], "keys")
    assert_close(values, wide[:, :, 1::2], "values")


def test_what_is_given_is_left_untouched(op):
    cache, k, v, mask = new(op), numbered(2), -numbered(2), np.array([[False, True], [True, True]])
    with untouched(k=k, v=v, mask=mask):
        reserve(op, cache, 2, 2, mask)
        append(op, cache, 0, k, v)


@hypothesis.given(sizes=st.lists(st.integers(1, 2), min_size=1, max_size=3), B=st.integers(1, 2),
                  seed=st.integers(0, 9))
def test_any_chunk_with_any_padding_agrees_with_the_reference(op, sizes, B, seed):
    config, rng = CONFIGS["llama"], np.random.default_rng(seed)
    cache, of_reference = new(op, config), KVCache(config)
    for T in sizes:
        ids, mask = rng.integers(0, 7, (B, T)), rng.random((B, T)) < 0.7
        expected, _ = transformer_forward(ids, parameters(config), config, key_mask=mask, cache=of_reference)
        assert_close(read(op, cache, ids, config, mask), expected, "logits")


def test_until_all_layers_have_read_nothing_has_changed(op):
    cache = new(op)
    reserve(op, cache, 2, 2)
    append(op, cache, 0, numbered(2), numbered(2))            # then something goes wrong: the user stops the answer
    assert op.record(cache.length) == 0
    assert_close(reserve(op, cache, 2, 1), np.array([0]), "positions")
    assert_close(append(op, cache, 0, numbered(1, 9), numbered(1, 9))[0], numbered(1, 9), "keys")


def test_what_is_kept_is_a_copy(op):
    cache, k = new(op), array(op, numbered(1))
    reserve(op, cache, 2, 1)
    keys, _, _ = cache.layers[0].append(k, k)
    k[...] = 7
    assert_close(op.record(copied(keys)), numbered(1), "keys, after k was written over,")


def test_the_past_is_not_copied(op):
    cache = new(op)
    reserve(op, cache, 2, 3)
    keys = cache.layers[0].append(array(op, numbered(3)), array(op, numbered(3)))[0]
    cache.advance()
    reserve(op, cache, 2, 1)
    longer = cache.layers[0].append(array(op, numbered(1)), array(op, numbered(1)))[0]
    assert op.record(np.shares_memory(np.asarray(keys), np.asarray(longer)))


def test_going_back_forgets_what_came_after(op):
    cache = new(op)
    read(op, cache, IDS[:, :4])
    cache.rewind(2)
    assert op.record(cache.length) == 2
    other = np.concatenate([IDS[:, :2], IDS[::-1, 2:]], axis=1)
    assert_close(read(op, cache, other[:, 2:]), whole(other)[:, 2:], "logits")
    for length in (-1, 7):
        with refused(f"back to {length} tokens"):
            cache.rewind(length)


@pytest.mark.parametrize(("ids", "kept"), [
    ([1, 5, 2, 2, 0], 4), ([1, 5, 2, 2], 3), ([1, 5, 0, 2, 2], 2), ([1, 5], 1), ([1], 0), ([4, 5, 2, 2], 0), ([], 0),
    ([1, 5, 2, 2, 0, 3], 4),
])
def test_of_another_text_the_common_beginning_is_kept_but_for_its_last_token(op, ids, kept):
    cache = new(op)
    cache.keep(array(op, np.array(ids, dtype=np.int64)))      # of nothing, nothing
    read(op, cache, IDS[:1, :4])                              # 1 5 2 2
    cache.keep(array(op, np.array(ids, dtype=np.int64)))
    assert op.record(cache.length) == kept
    rest = np.array([ids], dtype=np.int64)[:, kept:]
    if ids:
        assert_close(read(op, cache, rest), whole(np.array([ids]))[:, kept:], "logits")


def test_of_several_texts_no_beginning_is_kept(op):
    several, padded = new(op), new(op)
    read(op, several, IDS[:, :3])
    read(op, padded, IDS[:1, :3], key_mask=[[False, True, True]])
    for cache in (several, padded):
        with refused("several rows, or padding"):
            cache.keep(array(op, np.array([1, 5, 2, 2])))
            op.record(cache.length)


def test_going_back_behind_padding_leaves_the_others_as_they_were(op):
    cache, config = new(op, CONFIGS["llama"]), CONFIGS["llama"]
    read(op, cache, IDS[:, :4], config, [[False, True, True, True], [True] * 4])
    before = read(op, cache, IDS[:, 4:5], config)
    cache.rewind(4)
    assert_close(read(op, cache, IDS[:, 4:5], config), before, "logits, read again,")


@pytest.mark.parametrize("name", ["gpt2", "llama", "fast", "norm after"])
@pytest.mark.parametrize("mask", [
    [[False, False, True, True], [True, True, True, True]],   # filled up on the left
    [[True, True, False, False], [True, True, True, False]],  # on the right
    [[True, False, True, False], [False, True, True, True]],  # anywhere
], ids=["left", "right", "anywhere"])
def test_each_row_of_a_batch_reads_as_it_would_by_itself(op, name, mask):
    config, mask = CONFIGS[name], np.array(mask)
    cache = new(op, config)
    logits = read(op, cache, IDS[:, :4], config, mask)
    after = [read(op, cache, IDS[:, t:t + 1], config) for t in (4, 5)]
    for row, real in enumerate(mask):
        alone = np.append(IDS[row, :4][real], IDS[row, 4:])
        expected = whole(alone[None], config)[0]
        assert_close(logits[row][real], expected[:-2], f"logits of row {row}")
        assert_close(np.concatenate([a[row] for a in after]), expected[-2:], f"logits of row {row}, read on,")


def test_later_tokens_may_be_padding_too(op):
    cache = new(op)
    read(op, cache, IDS[:, :2])
    read(op, cache, IDS[:, 2:4], key_mask=[[True, False], [True, True]])
    after = read(op, cache, IDS[:, 4:5])
    assert_close(after[0, 0], whole(IDS[:1, [0, 1, 2, 4]])[0, -1], "logits of row 0")
    assert_close(after[1, 0], whole(IDS[1:, :5])[0, -1], "logits of row 1")


def test_a_mask_without_padding_changes_nothing(op):
    cache = new(op)
    assert_close(reserve(op, cache, 2, 3, np.ones((2, 3), dtype=bool)), np.arange(3), "positions")
    assert isinstance(append(op, cache, 0, numbered(3), numbered(3))[2], str)


def test_more_than_it_has_room_for_is_refused(op):
    cache = new(op, CONFIG, 4)
    read(op, cache, IDS[:, :3])
    with refused("2 tokens where one fits"):
        read(op, cache, IDS[:, 3:5])
    assert_close(read(op, cache, IDS[:, 3:4]), whole(IDS[:, :4])[:, 3:], "logits")        # one does, afterwards too
    with refused("a token more than the capacity"):
        read(op, cache, IDS[:, 4:5])


def test_other_rows_than_before_are_refused(op):
    cache = new(op)
    read(op, cache, IDS[:, :2])
    with refused("one row after two"):
        reserve(op, cache, 1, 1)


@pytest.mark.parametrize("capacity", [0, 7, -1])
def test_a_capacity_beyond_the_context_is_refused(op, capacity):
    with refused(f"capacity={capacity}"):
        op.record(new(op, CONFIG, capacity).capacity)


def test_a_model_that_reads_both_ways_is_refused(op):
    with refused("causal=False"):
        op.record(new(op, dataclasses.replace(CONFIG, causal=False)).capacity)


def test_float32_stays_float32_and_float64_float64(op):
    for dtype in (np.float32, np.float64):
        cache = new(op)
        reserve(op, cache, 2, 1)
        assert append(op, cache, 0, numbered(1).astype(dtype), numbered(1).astype(dtype))[0].dtype == dtype


def test_learning_with_a_cache_is_refused():
    model, cache = Transformer(CONFIG), torch_cache.KVCache(CONFIG)
    with pytest.raises(ValueError, match="no_grad"):
        model(torch.tensor(IDS), cache=cache)
