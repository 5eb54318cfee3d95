"""The contract of the exercise real_weights.4: its answer is not in the package."""
import functools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.config import preset
from minigpt.grading.compare import assert_close, untouched
from minigpt.pretrained.export import gpt2_tensors
from minigpt.transformer import Transformer

PREFIX = "transformer.h.0."


@functools.cache
def model(C=6, F=8, seed=0):
    """A GPT-2 of one block whose weights are all random, biases and norms too."""
    config = preset("gpt2-nano", vocab_size=5, context_length=4, n_layer=1, n_head=1, d_model=C, d_ff=F)
    generator, found = torch.Generator().manual_seed(seed), Transformer(config)
    with torch.no_grad():
        for p in found.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    return found


def ours(C=6, F=8, seed=0):
    return {name: p.detach().numpy().copy() for name, p in model(C, F, seed).blocks[0].state_dict().items()}


def theirs(C=6, F=8, seed=0):
    """The same under GPT-2's names, as the package exports it."""
    return {name.removeprefix(PREFIX): p.detach().numpy().copy() for name, p in gpt2_tensors(model(C, F, seed)).items()
            if name.startswith(PREFIX)}


def untrained(C=6, F=8):
    return {name: np.zeros_like(p) for name, p in ours(C, F).items()}


def read(op, tensors, C=6, F=8):
    return op.call("block_from_gpt2", tensors, untrained(C, F))


def test_a_worked_example(op):
    # C = 2: columns 0 and 1 of c_attn are the query's, 2 and 3 the key's, 4 and 5 the value's; then each is turned
    tensors = theirs(2, 3)
    tensors["attn.c_attn.weight"] = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]])
    tensors["attn.c_proj.weight"] = np.array([[1.0, 2.0], [3.0, 4.0]])
    tensors["mlp.c_fc.weight"] = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    got = read(op, tensors, 2, 3)
    for name, expected in {"attention.query": [[1, 7], [2, 8]], "attention.key": [[3, 9], [4, 10]],
                           "attention.value": [[5, 11], [6, 12]], "attention.output": [[1, 3], [2, 4]],
                           "feed_forward.up": [[1, 4], [2, 5], [3, 6]]}.items():
        assert_close(got[f"{name}.weight"], np.array(expected, dtype=float), name)


def test_a_block_that_was_exported_comes_back(op):
    assert_close(read(op, theirs()), ours(), "the block")


def test_every_bias_and_every_norm_comes_back(op):
    got, rows = read(op, theirs()), {name: p for name, p in ours().items() if p.ndim == 1}
    assert_close({name: got[name] for name in rows}, rows, "the block")


@pytest.mark.parametrize("place", ["attention.query", "attention.key", "attention.value", "attention.output"])
def test_a_square_matrix_computes_what_it_did(op, place):
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = x @ ours()[f"{place}.weight"].T
    assert_close(x @ read(op, theirs())[f"{place}.weight"].T, expected, f"what {place} gives")


def test_where_all_matrices_are_square_all_are_turned(op):
    assert_close(read(op, theirs(5, 5), 5, 5), ours(5, 5), "the block")


def test_a_model_of_one_feature_comes_back(op):
    assert_close(read(op, theirs(1, 1), 1, 1), ours(1, 1), "the block")


def test_what_a_file_has_besides_is_left(op):
    mask = np.tri(4, dtype=np.float32)[None, None]     # old files have the causal mask, under the name of a bias
    assert_close(read(op, theirs() | {"attn.bias": mask}), ours(), "the block")


def test_the_order_of_the_tensors_does_not_matter(op):
    assert_close(read(op, dict(reversed(theirs().items()))), ours(), "the block")


def test_both_blocks_are_left_untouched(op):
    tensors, empty = theirs(), untrained()
    with untouched(theirs=tensors, untrained=empty):
        op.call("block_from_gpt2", tensors, empty)


@hypothesis.given(C=st.integers(1, 5), F=st.integers(1, 6), seed=st.integers(0, 9))
def test_any_sizes_come_back(op, C, F, seed):
    assert_close(read(op, theirs(C, F, seed), C, F), ours(C, F, seed), "the block")
