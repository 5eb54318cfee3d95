"""The contract of the exercise attention_backward.3: its answer is not in the package."""
import math

import numpy as np
import pytest
import torch
from solutions.sink_attention import sink_attention_backward, sink_attention_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference.attention import attention_backward, attention_forward


def spelled_out(q, k, v, sink, *, causal=False):
    """Softmax over the scores and one more, whose weight is thrown away."""
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
    more = sink[:, None, None].expand(*scores.shape[:3], 1)
    return torch.softmax(torch.cat([scores, more], dim=-1), dim=-1)[..., :-1] @ v


PYTORCH = Op("sink_attention", "PyTorch", {"sink_attention": spelled_out}, is_torch=True)


def problem(T=6, seed=0):
    """q, k, v, sink, and dy."""
    rng = np.random.default_rng(seed)
    q, k, v, dy = rng.normal(size=(4, 2, 3, T, 4))
    return q, k, v, rng.normal(size=3), dy


def named(run):
    y, gradients = run
    return {"y": y} | dict(zip(("dq", "dk", "dv", "dsink"), gradients, strict=True))


def agrees(op, *inputs, dy, **options):
    assert_close(named(op.run(inputs, dy, **options)), named(PYTORCH.run(inputs, dy, **options)), "result")


def test_a_worked_example(op):
    # two scores of 0 beside a sink of log 2: 1 and 1 of 1 + 1 + 2 are a quarter each, and the sink has a half
    q, k, v = np.zeros((1, 1, 2, 1)), np.ones((1, 1, 2, 1)), np.array([8.0, 4.0]).reshape(1, 1, 2, 1)
    dy = np.array([1.0, 2.0]).reshape(1, 1, 2, 1)
    y, (dq, _, dv, dsink) = op.run((q, k, v, np.array([math.log(2)])), dy)
    assert_close(y, np.full((1, 1, 2, 1), 3.0))
    assert_close(dsink, np.array([-4.5]), "dsink")     # -1/2 (1 3 + 2 3)
    assert_close(dv, np.full((1, 1, 2, 1), 0.75), "dv")
    assert_close(dq, np.array([1.5, 3.0]).reshape(1, 1, 2, 1), "dq")     # 1/4 (8 - 3) + 1/4 (4 - 3), times dy


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("T", [1, 2, 6, 21])
def test_it_agrees_with_one_more_score_in_pytorch(op, T, causal):
    *inputs, dy = problem(T)
    agrees(op, *inputs, dy=dy, causal=causal)


@pytest.mark.parametrize("causal", [False, True])
def test_a_sink_of_minus_infinity_takes_nothing(op, causal):
    q, k, v, sink, dy = problem()
    y, gradients = op.run((q, k, v, np.full_like(sink, -np.inf)), dy, causal=causal)
    expected, cache = attention_forward(q, k, v, causal=causal)
    assert_close(y, expected)
    for name, got, right in zip(("dq", "dk", "dv", "dsink"), gradients, (*attention_backward(dy, cache), 0 * sink),
                                strict=True):
        assert_close(got, right, name)


def test_a_large_sink_takes_all_and_its_gradient_is_zero(op):
    q, k, v, sink, dy = problem()
    y, gradients = op.run((q, k, v, sink + 1e3), dy)
    for name, got in zip(("y", "dq", "dk", "dv", "dsink"), (y, *gradients), strict=True):
        assert_close(got, np.zeros_like(got), name)


@pytest.mark.parametrize("size", [-2000.0, 2000.0])
def test_large_scores_beside_a_large_sink_do_not_overflow(op, size):
    *_, v, _, dy = problem()
    q, k = np.full((2, 3, 6, 4), size / 2), np.ones((2, 3, 6, 4))                 # every score is `size`
    agrees(op, q, k, v, size + np.array([-1.0, 0.0, 2.0]), dy=dy)


def test_each_head_has_a_sink_of_its_own(op):
    q, k, v, sink, _ = problem()
    before = op.forward((q, k, v, sink))
    after = op.forward((q, k, v, sink + np.array([0.0, 1.0, 0.0])))
    assert_close(after[:, ::2], before[:, ::2], "y of the heads whose sink is the same")
    assert np.abs(after[:, 1]).sum() < np.abs(before[:, 1]).sum()


def test_future_tokens_do_not_change_past_outputs(op):
    q, k, v, sink, _ = problem()
    before = op.forward((q, k, v, sink), causal=True)
    k, v = k.copy(), v.copy()
    k[:, :, 4:] += 1
    v[:, :, 4:] -= 1
    after = op.forward((q, k, v, sink), causal=True)
    assert_close(after[:, :, :4], before[:, :, :4], "y before the change")


def test_float32_stays_float32(op):
    *inputs, dy = (x.astype(np.float32) for x in problem())
    got = named(op.run(inputs, dy, causal=True))
    assert all(x.dtype == np.float32 for x in got.values())


def test_inputs_are_left_untouched(op):
    *inputs, dy = problem()
    before = [x.copy() for x in (*inputs, dy)]
    op.run(inputs, dy)
    for name, now, then in zip(("q", "k", "v", "sink", "dy"), (*inputs, dy), before, strict=True):
        assert_close(now, then, f"{name}, afterwards,")


def test_the_solution_s_gradient_equals_finite_differences():
    *inputs, dy = problem(4)
    assert max(gradient_errors(sink_attention_forward, sink_attention_backward, tuple(inputs), dy, causal=True)) < 1e-8
