"""The contract of the optimisers."""
import unittest

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt import fused
from minigpt.grading.compare import assert_close, refused
from minigpt.reference import optimisers as reference

OPTIONS = {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.3}
RATE = {"steps": 20, "warmup": 4, "lr": 1.0, "min_lr": 0.2}


def call(op, name, *args, **options):
    """A function of the room; lists of arrays in, tuples of arrays out."""
    convert = {"fused": torch.tensor}.get(op.name, torch.from_numpy) if op.is_torch else np.asarray
    answer = op.get(name)(*([convert(x) for x in a] if isinstance(a, list) else a for a in args), **options)
    return op.record(tuple(tuple(map(np.asarray, part)) if isinstance(part, list) else np.asarray(part)
                           for part in answer))


def arrays(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in ((3, 4), (4,), (0, 2))]


def zeros():
    return [np.zeros_like(x) for x in arrays()]


def assert_lists(got, expected, what):
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert_close(a, b, f"{what}[{i}]")


def test_a_worked_first_step_of_a_single_number(op):
    # m = 0.1 * 2 and v = 0.001 * 4; corrected they are 2 and 4, so p moves by lr 2 / sqrt(4) = lr
    zero = [np.zeros(1)]
    (p,), (m,), (v,) = call(op, "adamw", [np.array([5.0])], [np.array([2.0])], zero, zero, 1, lr=0.5, eps=0.0)
    assert_close(m, np.array([0.2]), "m")
    assert_close(v, np.array([0.004]), "v")
    assert_close(p, np.array([4.5]), "p")


def test_a_worked_second_step(op):
    # m = 1/2 4 + 1/2 0, v = 3/4 16 + 1/4 0; corrected 2 / (1 - 1/4) = 8/3 and 12 / (1 - 9/16) = 192/7
    (p,), (m,), (v,) = call(op, "adamw", [np.zeros(1)], [np.zeros(1)], [np.array([4.0])], [np.array([16.0])], 2,
                            lr=3.0, beta1=0.5, beta2=0.75, eps=0.0)
    assert_close(m, np.array([2.0]), "m")
    assert_close(v, np.array([12.0]), "v")
    assert_close(p, np.array([-8 / np.sqrt(192 / 7)]), "p")


def test_a_worked_decay(op):
    # without a gradient only the decay is left: p - 0.1 * 0.5 p
    zero = [np.zeros(2)]
    (p,), _, _ = call(op, "adamw", [np.array([2.0, -4.0])], zero, zero, zero, 1, lr=0.1, weight_decay=0.5)
    assert_close(p, np.array([1.9, -3.8]), "p")


def test_twenty_steps_agree_with_pytorch(op):
    params, ms, vs = arrays(), zeros(), zeros()
    judged = [torch.tensor(p, requires_grad=True) for p in params]
    judge = torch.optim.AdamW(judged, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3)
    for step in range(1, 21):
        gradients = arrays(seed=step)
        params, ms, vs = map(list, call(op, "adamw", params, gradients, ms, vs, step, **OPTIONS))
        for p, g in zip(judged, gradients, strict=True):
            p.grad = torch.tensor(g)
        judge.step()
    for p, right in zip(params, judged, strict=True):
        assert_close(p, right.detach().numpy(), "p after 20 steps", tolerance=(1e-12, 1e-12))


def test_adamw_leaves_its_inputs_untouched(op):
    if op.name == "fused":
        raise unittest.SkipTest("writes into its inputs, as it says")
    inputs = [arrays(seed) for seed in range(3)] + [[x**2 for x in arrays()]]
    before = [[x.copy() for x in each] for each in inputs]
    call(op, "adamw", *inputs, 3, **OPTIONS)
    for name, each, was in zip(("params", "gradients", "ms", "vs"), inputs, before, strict=True):
        assert_lists(each, was, f"{name}, afterwards,")


def test_huge_and_tiny_gradients_move_by_the_learning_rate_alike(op):
    zero = [np.zeros(2)]
    (p,), _, _ = call(op, "adamw", zero, [np.array([-1e140, 1e-140])], zero, zero, 1, lr=0.5, eps=0.0)
    assert_close(p, np.array([0.5, -0.5]), "p")


def test_no_arrays_move_nowhere(op):
    assert call(op, "adamw", [], [], [], [], 1, lr=0.1) == ((), (), ())


def test_strided_arrays_give_the_same(op):
    inputs = [[x.T for x in arrays(seed)] for seed in range(3)] + [[(x**2).T for x in arrays()]]
    expected = reference.adamw(*([x.copy() for x in each] for each in inputs), 3, **OPTIONS)
    for got, right in zip(call(op, "adamw", *inputs, 3, **OPTIONS), expected, strict=True):
        assert_lists(got, right, "result")


def test_adamw_keeps_float32(op):
    inputs = [arrays(seed, np.float32) for seed in range(3)] + [[x**2 for x in arrays(dtype=np.float32)]]
    for part in call(op, "adamw", *inputs, 3, **OPTIONS):
        assert {x.dtype for x in part} == {np.dtype(np.float32)}


def test_betas_and_eps_are_those_of_the_paper_unless_given(op):
    # corrected, m = 1e-8 and v = 1e-16: p moves by lr 1e-8 / (1e-8 + eps), half of lr
    zero = [np.zeros(1)]
    (p,), (m,), (v,) = call(op, "adamw", zero, [np.array([1e-8])], zero, zero, 1, lr=0.5)
    assert_close(np.array([p[0], m[0] * 1e8, v[0] * 1e16]), np.array([-0.25, 0.1, 0.001]), "p, m and v")


@pytest.mark.parametrize(("function", "args", "options"), [
    ("adamw", (arrays(), arrays(), zeros(), zeros(), 0), {"lr": 0.1}),
    *(("adamw", tuple([zeros(), zeros()[:2]][k == short] for k in range(4)) + (1,), {"lr": 0.1}) for short in range(4)),
    ("clip_gradients", (arrays(), 0.0), {}),
], ids=["step 0", "params missing", "gradients missing", "ms missing", "vs missing", "max_norm 0"])
def test_steps_before_the_first_and_lists_that_do_not_fit_are_refused(op, function, args, options):
    with refused(f"this call of {function}", ValueError, RuntimeError):          # the second is PyTorch's
        call(op, function, *args, **options)


@hypothesis.given(step=st.integers(1, 50), lr=st.floats(1e-5, 1), beta1=st.floats(0, 0.99), beta2=st.floats(0, 0.999),
                  decay=st.floats(0, 1))
def test_any_step_agrees_with_the_reference(op, step, lr, beta1, beta2, decay):
    inputs = [arrays(seed) for seed in range(3)] + [[x**2 for x in arrays()]]
    options = {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": decay}
    expected = reference.adamw(*inputs, step, **options)
    for name, got, right in zip(("params", "ms", "vs"), call(op, "adamw", *inputs, step, **options), expected,
                                strict=True):
        assert_lists(got, right, name)


def test_a_worked_clipping(op):
    # 3, 4 and 12 together have length 13
    gradients, norm = call(op, "clip_gradients", [np.array([[3.0, 4.0]]), np.array([-12.0])], 3.25)
    assert_close(norm, np.array(13.0), "norm")
    assert_lists(gradients, ([[0.75, 1.0]], [-3.0]), "gradients")


def test_a_short_gradient_is_left_as_it_is(op):
    gradients, norm = call(op, "clip_gradients", [np.array([0.3, 0.0]), np.array([0.4])], 1.0)
    assert_close(norm, np.array(0.5), "norm")
    assert_lists(gradients, ([0.3, 0.0], [0.4]), "gradients")


def test_gradients_of_zero_stay_zero(op):
    gradients, norm = call(op, "clip_gradients", [np.zeros(3)], 1.0)
    assert_close(norm, np.array(0.0), "norm")
    assert_lists(gradients, (np.zeros(3),), "gradients")


def test_clipping_leaves_its_input_untouched(op):
    gradients = [np.array([30.0, 40.0], np.float32)]
    (clipped,), norm = call(op, "clip_gradients", gradients, 1.0)
    assert_lists(gradients, ([30.0, 40.0],), "gradients, afterwards,")
    assert clipped.dtype == norm.dtype == np.float32


@pytest.mark.parametrize(("step", "rate"), [(0, 0.2), (1, 0.4), (3, 0.8), (4, 1.0), (8, 0.2 + 0.4 * (1 + 0.5**0.5)),
                                            (12, 0.6), (20, 0.2), (99, 0.2)])
def test_a_worked_rate(op, step, rate):
    # four steps up by a fifth, at 4 the whole; 12 is half way down to 20, where it stays; at 8, cos(pi/4)
    assert_close(op.call("warmup_cosine", step, **RATE), rate, "rate", tolerance=(1e-12, 0))


@pytest.mark.parametrize("step", [20, 21])
def test_a_warmup_as_long_as_the_training_has_no_cosine_after_it(op, step):
    assert_close(op.call("warmup_cosine", step, **RATE | {"warmup": 20}), 0.2, "rate", tolerance=(1e-12, 0))


def test_the_fused_step_is_the_same_and_writes_in_place():
    inputs = [[torch.tensor(x) for x in each] for each in (arrays(), arrays(1), zeros(), zeros())]
    expected = reference.adamw(arrays(), arrays(1), zeros(), zeros(), 1, **OPTIONS)
    answer = fused.adamw(*inputs, 1, **OPTIONS)
    assert answer == (inputs[0], inputs[2], inputs[3])
    for got, right in zip(answer, expected, strict=True):
        assert_lists([x.numpy() for x in got], right, "fused")
