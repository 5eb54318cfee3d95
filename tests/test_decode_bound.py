"""The contract of the exercise quantisation.4: what is predicted is what the layers of our models take in memory."""
import functools
import unittest

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from minigpt.config import preset
from minigpt.grading.predicted import assert_predicted
from minigpt.inference import bytes_per_token, prepare
from minigpt.linear import Linear
from minigpt.packed import PackedLinear
from minigpt.quantization import QuantizedLinear
from minigpt.transformer import Transformer

FLOATS = {16: torch.bfloat16, 32: torch.float32}
HOWS = {1: "absmax", 2: "minmax"}                      # numbers that a group keeps -> the grid that needs them


@functools.cache
def stored(O, I, bits, group, per_group):
    """Bytes of one layer of ours: its codes, packed if they have 4 bits, and 2 for each step and smallest weight."""
    layer = Linear(I, O, bias=False)
    if bits in FLOATS:
        return layer.weight.to(FLOATS[bits]).nbytes
    layer = QuantizedLinear(layer, bits, group, HOWS[per_group])
    steps = [x.to(torch.bfloat16) for x in (layer.scale, layer.zero) if x is not None]
    return layer.stored.nbytes + sum(x.nbytes for x in steps)


def asked(op, shapes, bits, group=None, per_group=0, bandwidth=1e9):
    return op.call("decode_bound", shapes, bits, group, per_group, bandwidth)


def assert_stored(op, shapes, bits, group=None, per_group=0, bandwidth=1e9):
    n_bytes = sum(stored(O, I, bits, group, per_group) for O, I in shapes)
    assert_predicted(asked(op, shapes, bits, group, per_group, bandwidth),
                     {"bytes": n_bytes, "tokens per second": bandwidth / n_bytes},
                     f"layers {shapes}, bits={bits}, group={group}, per_group={per_group}")


def test_a_worked_example(op):
    # 2 rows of 8 weights of 4 bits: 8 bytes; 2 groups in each row, which keep 2 numbers of 2 bytes: 16 more
    assert_predicted(asked(op, [(2, 8)], 4, 4, 2, 48.0), {"bytes": 24, "tokens per second": 2.0}, "one small layer")


@pytest.mark.parametrize("bits", [16, 32])
def test_floats_have_no_groups(op, bits):
    assert_stored(op, [(6, 4), (3, 6)], bits)


def test_8_bits_and_a_step_for_each_row(op):
    assert_stored(op, [(6, 4), (3, 6)], 8, None, 1)


@pytest.mark.parametrize("per_group", [1, 2])
def test_4_bits_in_groups(op, per_group):
    assert_stored(op, [(6, 64), (64, 32)], 4, 32, per_group)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_shorter_last_group_keeps_as_much_as_the_others(op, bits):
    assert_stored(op, [(3, 10), (2, 8)], bits, 4, 2)


def test_half_the_bytes_are_twice_the_tokens(op):
    full, half = (asked(op, [(10, 20)], bits)["tokens per second"] for bits in (32, 16))
    assert_predicted(half, 2 * 1e9 / 800, "tokens per second in 16 bits")
    assert_predicted(half, 2 * full, "twice those in 32 bits")


@functools.cache
def packed():
    """(shapes of the blocks, shape of the output layer, {form: bytes that a token reads, but for the norms})."""
    model = Transformer(preset("llama", vocab_size=128, n_layer=2, d_ff=384))
    norms = sum(p.nbytes for p in model.parameters() if p.ndim == 1)
    forms = {form: prepare(model, form) for form in ("float32", "bf16", "int8", "int4")}
    shapes = [tuple(p.shape) for p in model.blocks.parameters() if p.ndim == 2]
    n_layers = len(shapes) + 1                         # an operator that refuses a shape leaves its layer readable
    return shapes, tuple(model.token_embedding.weight.shape), {
        form: bytes_per_token(quick) - norms for form, quick in forms.items()
        if sum(isinstance(module, PackedLinear) for module in quick.modules()) == n_layers}


@pytest.mark.parametrize(("form", "bits", "group", "per_group"), [
    ("float32", 32, None, 0), ("bf16", 16, None, 0), ("int8", 8, None, 1)])
def test_a_whole_model_that_is_ready_to_write(op, form, bits, group, per_group):
    blocks, output, n_bytes = packed()
    if form not in n_bytes:
        raise unittest.SkipTest(f"PyTorch has no operator for {form} here")
    assert_predicted(asked(op, [*blocks, output], bits, group, per_group)["bytes"], n_bytes[form], f"bytes in {form}")


def test_a_whole_model_in_4_bits_whose_output_layer_has_8(op):
    blocks, output, n_bytes = packed()
    if "int4" not in n_bytes:
        raise unittest.SkipTest("PyTorch has no operator for int4 here")
    parts = asked(op, blocks, 4, 32, 2)["bytes"], asked(op, [output], 8, None, 1)["bytes"]
    assert_predicted(sum(parts), n_bytes["int4"], "bytes in int4")


@hypothesis.given(shapes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 12).map(lambda half: 2 * half)),
                                  min_size=1, max_size=3),
                  bits=st.sampled_from([4, 8]), group=st.sampled_from([None, 1, 3, 4, 32]),
                  per_group=st.sampled_from([1, 2]), bandwidth=st.sampled_from([1e9, 25.5e9]))
def test_any_layers_agree_with_ours(op, shapes, bits, group, per_group, bandwidth):
    assert_stored(op, shapes, bits, group, per_group, bandwidth)
