"""The contract of the exercise transfer.4: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from solutions.l2_sp import l2_sp_backward, l2_sp_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op


def by_pytorch(params, start, alpha, beta):
    far = [alpha / 2 * ((p - start[name])**2).sum() for name, p in params.items() if name in start]
    new = [beta / 2 * (p**2).sum() for name, p in params.items() if name not in start]
    return sum(far + new) + 0 * sum(p.sum() for p in params.values())


PYTORCH = Op("l2_sp", "PyTorch", {"l2_sp": by_pytorch}, is_torch=True)


def case(seed=0, shapes=(("trunk.w", (3, 4)), ("trunk.b", (4,)), ("head.w", (2, 3))), new=("head.w",)):
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=shape) for name, shape in shapes}
    return params, {name: rng.normal(size=shape) for name, shape in shapes if name not in new}


def named(run):
    y, (dparams,) = run
    return {"penalty": y, "dparams": dparams}


def test_a_worked_example(op):
    # the pre-trained weight moved by 2: 0.5/2 * 4 = 1; the head has length 3: 0.1/2 * 9 = 0.45
    params, start = {"w": np.array([3.0]), "head": np.array([3.0])}, {"w": np.array([1.0])}
    y, (dparams,) = op.run((params,), np.array(2.0), start=start, alpha=0.5, beta=0.1)
    assert_close(y, np.array(1.45), "penalty")
    assert_close(dparams, {"w": np.array([2.0]), "head": np.array([0.6])}, "dparams")


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.01), (0.0, 1.0), (1.0, 0.0)])
def test_it_agrees_with_pytorch(op, alpha, beta):
    params, start = case()
    expected = named(PYTORCH.run((params,), np.array(1.5), start=start, alpha=alpha, beta=beta))
    assert_close(named(op.run((params,), np.array(1.5), start=start, alpha=alpha, beta=beta)), expected, "result")


def test_at_the_start_there_is_no_penalty(op):
    _, start = case()
    y, (dparams,) = op.run((start,), np.array(1.0), start=dict(start), alpha=3.0, beta=5.0)
    assert_close(y, np.array(0.0), "penalty")
    assert_close(dparams, {name: np.zeros_like(p) for name, p in start.items()}, "dparams")


def test_without_a_start_it_is_weight_decay(op):
    params, _ = case()
    y, (dparams,) = op.run((params,), np.array(1.0), start={}, alpha=9.0, beta=0.2)
    assert_close(y, np.array(0.1 * sum((p**2).sum() for p in params.values())), "penalty")
    assert_close(dparams, {name: 0.2 * p for name, p in params.items()}, "dparams")


def test_a_single_number_and_an_empty_array(op):
    params = {"w": np.array([2.0]), "none": np.zeros((0, 3))}
    y, (dparams,) = op.run((params,), np.array(1.0), start={"none": np.zeros((0, 3))}, alpha=1.0, beta=1.0)
    assert_close(y, np.array(2.0), "penalty")
    assert dparams["none"].shape == (0, 3)


def test_inputs_are_left_untouched(op):
    params, start = case()
    before = [{name: p.copy() for name, p in each.items()} for each in (params, start)]
    op.run((params,), np.array(1.0), start=start, alpha=0.5, beta=0.5)
    assert_close(params, before[0], "params, afterwards,")
    assert_close(start, before[1], "start, afterwards,")


@hypothesis.given(n=st.integers(1, 4), size=st.integers(1, 5), alpha=st.floats(0, 2), beta=st.floats(0, 2),
                  seed=st.integers(0, 99))
def test_any_number_of_parameters_of_any_shape_agrees_with_pytorch(op, n, size, alpha, beta, seed):
    params, start = case(seed, [(f"p{i}", (size,) * (1 + i % 2)) for i in range(n)], new=("p0",))
    expected = named(PYTORCH.run((params,), np.array(1.0), start=start, alpha=alpha, beta=beta))
    assert_close(named(op.run((params,), np.array(1.0), start=start, alpha=alpha, beta=beta)), expected, "result")


def test_the_solution_s_gradient_equals_finite_differences():
    w = np.random.default_rng(0).normal(size=(3, 2))

    def forward(x):
        y, cache = l2_sp_forward({"w": x}, {"w": w}, 0.7, 0.1)
        return np.array(y), cache

    def backward(dy, cache):
        return (l2_sp_backward(float(dy), cache)["w"],)
    [error] = gradient_errors(forward, backward, (w + 1.0,), np.array(1.3))
    assert error < 1e-7
