"""The attention kernels beyond their contract: all sizes of tiles, low precision, and any order of programs."""
import numpy as np
import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch
from test_attention_kernel import agrees, problem, tensors

from minigpt.attention import attention as spelled_out
from minigpt.grading.compare import assert_close
from minigpt.grading.kernel_op import KernelOp

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import attention as kernels


@pytest.fixture(name="ours")
def _ours():
    return KernelOp("attention_kernel", "triton", vars(kernels))


@pytest.mark.parametrize("T", [1, 15, 16, 17, 63, 65, 127, 129])
def test_any_length_agrees_with_the_reference(ours, T):
    agrees(ours, *problem(T=T, S=T), causal=True)


@pytest.mark.parametrize("D", [16, 32, 64, 128, 80])
def test_the_usual_widths_of_heads_agree_with_the_reference(ours, D):
    agrees(ours, *problem(T=20, S=20, D=D), causal=True)


@pytest.mark.parametrize("causal", [False, True])
def test_many_heads_sequences_and_ragged_tiles_agree_with_the_reference(ours, causal):
    agrees(ours, *problem(B=2, H=6, G=2, T=37, S=70), causal=causal)


def test_all_that_is_written_is_written_by_one_program_and_nothing_is_left_out(ours):
    y, gradients = ours.run(problem(B=2, H=4, G=2, T=35, S=67)[:3], problem(B=2, H=4, T=35)[3])   # outputs begin as NaN
    assert all(np.isfinite(x).all() for x in (y, *gradients))


def test_two_runs_and_two_orders_of_programs_agree_to_the_bit(ours):
    q, k, v, dy = problem(H=4, G=2, T=40, S=70)
    first, *others = (KernelOp(ours.concept, ours.name, ours.functions, order=order).run((q, k, v), dy, causal=True)
                      for order in (None, None, 1, 2))
    for y, gradients in others:
        for got, expected in zip((y, *gradients), (first[0], *first[1]), strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(ours, dtype):
    *inputs, dy = tensors(H=2, G=1, T=140, S=140, D=16)
    with ours.watched():
        assert_as_exact_as_pytorch(lambda q, k, v: ours.get("attention")(q, k, v, causal=True),
                                   lambda q, k, v: spelled_out(q, k, v, causal=True), inputs, dy, dtype)


def test_large_scores_and_masks_do_not_overflow_in_bfloat16(ours):
    q, k, v, _ = tensors(torch.bfloat16, T=40, S=40)
    key_mask = torch.arange(40, device=q.device)[None, :] < 30
    with ours.watched():
        y = ours.get("attention")(1e18 * q, 1e18 * k, v, causal=True, key_mask=key_mask)  # scores of 1e36
    expected = spelled_out(1e18 * q.float(), 1e18 * k.float(), v.float(), causal=True, key_mask=key_mask)
    assert_close(ours.record(y.float().cpu().numpy()), expected.cpu().numpy())
