"""The contract of the exercise attention_kernel.4: what is predicted is what the kernels of the lesson ask for.

That is a closed form; a test below holds it against the meter of the interpreter.
"""
import functools
import importlib.util

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from kernels import traffic
from minigpt.grading.predicted import assert_predicted


@functools.cache
def counted(T, D, BLOCK_T, BLOCK_S, itemsize):
    """The bytes that the kernels of each way load and store: one head, T queries and keys, nothing masked."""
    shape, tiles = (1, 1, 1, T, T, D, D), {"BLOCK_T": BLOCK_T, "BLOCK_S": BLOCK_S, "BLOCK_D": D, "BLOCK_E": D}
    naive = [traffic.attention_scores(shape, itemsize, tiles, causal=False), traffic.softmax_forward(T, T, itemsize),
             traffic.attention_average(shape, itemsize, tiles, causal=False)]
    flash = [traffic.attention_forward(shape, itemsize, tiles, causal=False)]
    return {name: sum(work.loads + work.stores for work in works)
            for name, works in (("naive", naive), ("flash", flash))}


def assert_counted(op, *sizes):
    assert_predicted(op.call("bytes_moved", *sizes), counted(*sizes),
                     "T={}, D={}, BLOCK_T={}, BLOCK_S={}, itemsize={}".format(*sizes))


def test_a_worked_example(op):
    # T = 4, D = 1, tiles of 2 x 2: 4 tiles load 2 + 2 numbers each; 4 times 16 scores or weights; v twice; y.
    # flash: q; k and v twice; y; and L
    assert_predicted(op.call("bytes_moved", 4, 1, 2, 2, 4),
                     {"naive": 4 * (16 + 64 + 8 + 4), "flash": 4 * (4 + 16 + 4 + 4)}, "four tokens")


def test_one_tile_that_holds_everything(op):
    assert_counted(op, 16, 8, 16, 16, 4)


@pytest.mark.parametrize("BLOCK_T", [16, 64, 256])
def test_larger_tiles_of_queries_move_fewer_bytes(op, BLOCK_T):
    assert_counted(op, 256, 32, BLOCK_T, 32, 2)


@pytest.mark.parametrize("BLOCK_S", [16, 64, 256])
def test_any_tile_of_keys(op, BLOCK_S):
    assert_counted(op, 256, 32, 64, BLOCK_S, 2)


def test_the_log_sum_exp_takes_4_bytes_whatever_the_others_take(op):
    assert_counted(op, 64, 16, 16, 16, 2)
    assert_counted(op, 64, 16, 16, 16, 4)


def test_a_long_text(op):
    assert_counted(op, 65_536, 128, 128, 64, 2)


@hypothesis.given(rows=st.sampled_from([1, 2, 4, 8]), columns=st.sampled_from([1, 2, 4, 8]), share=st.integers(1, 5),
                  D=st.integers(1, 40), itemsize=st.sampled_from([2, 4]))
def test_any_sizes_agree_with_the_closed_forms(op, rows, columns, share, D, itemsize):
    T = 8 * share
    assert_counted(op, T, D, T // rows, T // columns, itemsize)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton has no build for this system")
def test_the_closed_forms_are_what_the_meter_counts():
    from kernels import attention, attention_steps
    from kernels.sanitize import sanitized

    q, k, v = torch.randn(3, 1, 1, 64, 16)
    for name, function, tiles in (
            ("naive", attention_steps.naive_attention, attention_steps.configuration(16, 16, torch.float32)),
            ("flash", attention.attention, attention.configuration(16, 16, torch.float32, 80))):
        with sanitized() as meter:
            function(q, k, v)
        assert meter.load_bytes + meter.store_bytes == counted(64, 16, tiles["BLOCK_T"], tiles["BLOCK_S"], 4)[name]
