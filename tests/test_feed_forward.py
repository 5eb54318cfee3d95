"""The contract of feed_forward."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from torch import nn

from minigpt.gradcheck import numerical_gradient
from minigpt.grading.compare import assert_close, untouched
from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def parameters(C, F, *, bias=True, gate=False, seed=1):
    params = {"up.weight": normal(F, C, seed=seed), "down.weight": normal(C, F, seed=seed + 1)}
    if bias:
        params |= {"up.bias": normal(F, seed=seed + 2), "down.bias": normal(C, seed=seed + 3)}
    if gate:
        params["gate.weight"] = normal(F, C, seed=seed + 4)
    if gate and bias:
        params["gate.bias"] = normal(F, seed=seed + 5)
    return params


def test_a_worked_example(op):
    # up sends 10 to a hidden (10, -10); GELU keeps the 10 and drops the -10; down doubles it and adds 1
    params = {"up.weight": np.array([[1.0], [-1.0]]), "up.bias": np.zeros(2),
              "down.weight": np.array([[2.0, 5.0]]), "down.bias": np.ones(1)}
    y, (dx, dparams) = op.run((np.array([[[10.0]]]), params), np.ones((1, 1, 1)))
    assert_close(y, np.array([[[21.0]]]))
    assert_close(dx, np.array([[[2.0]]]), "dx")
    assert_close(dparams["down.weight"], np.array([[10.0, 0.0]]), "dW_down")
    assert_close(dparams["up.weight"], np.array([[20.0], [0.0]]), "dW_up")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu_squared", "swiglu"])
def test_the_modern_forms_agree_with_pytorch(op, activation, bias):
    x, dy, params = normal(2, 3, 4), normal(2, 3, 4, seed=9), parameters(4, 6, bias=bias, gate=activation == "swiglu")
    leaves = {key: torch.tensor(p, requires_grad=True) for key, p in params.items()}
    x_torch = torch.tensor(x, requires_grad=True)

    def layer(name, z):
        return nn.functional.linear(z, leaves[f"{name}.weight"], leaves.get(f"{name}.bias"))
    hidden = (nn.functional.silu(layer("gate", x_torch)) * layer("up", x_torch) if activation == "swiglu"
              else nn.functional.relu(layer("up", x_torch)).square())
    expected = layer("down", hidden)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params), dy, activation=activation)
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    assert_close(dparams, {key: p.grad.numpy() for key, p in leaves.items()}, "dparams")


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_it_agrees_with_pytorch(op, activation, bias):
    x, dy, params = normal(2, 3, 4), normal(2, 3, 4, seed=9), parameters(4, 6, bias=bias)
    approximate = {"gelu": "none", "gelu_tanh": "tanh"}[activation]
    judge = nn.Sequential(nn.Linear(4, 6, bias=bias), nn.GELU(approximate), nn.Linear(6, 4, bias=bias)).double()
    names = {"up.weight": "0.weight", "up.bias": "0.bias", "down.weight": "2.weight", "down.bias": "2.bias"}
    judge.load_state_dict({names[key]: torch.tensor(p) for key, p in params.items()})
    x_torch = torch.tensor(x, requires_grad=True)
    expected = judge(x_torch)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params), dy, activation=activation)
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    judged = dict(judge.named_parameters())
    assert_close(dparams, {key: judged[names[key]].grad.numpy() for key in params}, "dparams")


def test_each_position_is_on_its_own(op):
    x, params = normal(1, 5, 4), parameters(4, 8)
    changed = x.copy()
    changed[0, 2] += 1
    before, after = op.forward((x, params)), op.forward((changed, params))
    assert_close(np.delete(after, 2, axis=1), np.delete(before, 2, axis=1))
    assert np.abs(after[0, 2] - before[0, 2]).max() > 1e-3


def test_no_positions_give_no_positions(op):
    y, (dx, dparams) = op.run((np.zeros((2, 0, 3)), parameters(3, 5)), np.zeros((2, 0, 3)))
    assert y.shape == dx.shape == (2, 0, 3)
    assert_close(dparams["up.weight"], np.zeros((5, 3)), "dW_up")


def test_inputs_are_left_untouched(op):
    x, dy, params = normal(2, 3, 4), normal(2, 3, 4, seed=9), parameters(4, 6)
    with untouched(x=x, dy=dy, params=params):
        op.run((x, params), dy)


def test_a_single_position_of_a_single_feature_has_an_output(op):
    params = {"up.weight": np.full((1, 1), 3.0), "down.weight": np.full((1, 1), 0.5)}
    y, (dx, _) = op.run((np.full((1, 1, 1), 2.0), params), np.ones((1, 1, 1)), activation="relu_squared")
    assert_close(y, np.full((1, 1, 1), 18.0))              # 1/2 (3 * 2)^2
    assert_close(dx, np.full((1, 1, 1), 18.0), "dx")       # 1/2 * 2 (3 * 2) * 3


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu_squared", "swiglu"])
def test_large_values_pass_or_are_stopped_and_do_not_overflow(op, activation):
    one = {f"{name}.weight": np.ones((1, 1)) for name in ("up", "gate", "down")[::1 if activation == "swiglu" else 2]}
    y, (dx, _) = op.run((np.array([[[1e4], [-1e4]]]), one), np.ones((1, 2, 1)), activation=activation)
    squares = activation in ("relu_squared", "swiglu")
    assert_close(y, np.array([[[1e8 if squares else 1e4], [0]]]))
    assert_close(dx, np.array([[[2e4 if squares else 1], [0]]]), "dx")


def test_strided_arrays_give_the_same(op):
    x, params = normal(4, 3, 6).swapaxes(0, 2), {key: p.T for key, p in parameters(6, 4, bias=False).items()}
    y, (dx, dparams) = op.run((x[::2], params), x[1::2])
    expected, cache = feed_forward_forward(x[::2].copy(), {key: p.copy() for key, p in params.items()})
    assert_close(y, expected)
    dx_expected, dparams_expected = feed_forward_backward(x[1::2].copy(), cache)
    assert_close(dx, dx_expected, "dx")
    assert_close(dparams, dparams_expected, "dparams")


def test_float32_stays_float32(op):
    params = {key: p.astype(np.float32) for key, p in parameters(4, 6).items()}
    y, (dx, dparams) = op.run((normal(1, 2, 4).astype(np.float32), params), np.ones((1, 2, 4), np.float32))
    assert all(a.dtype == np.float32 for a in (y, dx, *dparams.values()))


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 5), C=st.integers(1, 6), F=st.integers(1, 9),
                  activation=st.sampled_from(["gelu", "gelu_tanh", "relu_squared", "swiglu"]))
def test_any_shape_agrees_with_the_reference(op, B, T, C, F, activation):
    x, dy, params = normal(B, T, C), normal(B, T, C, seed=9), parameters(C, F, gate=activation == "swiglu")
    y, (dx, dparams) = op.run((x, params), dy, activation=activation)
    expected, cache = feed_forward_forward(x, params, activation=activation)
    assert_close(y, expected)
    dx_expected, dparams_expected = feed_forward_backward(dy, cache)
    assert_close(dx, dx_expected, "dx")
    assert_close(dparams, dparams_expected, "dparams")


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu_squared", "swiglu"])
def test_the_reference_gradients_equal_finite_differences(activation):
    x, dy, params = normal(1, 2, 3), normal(1, 2, 3, seed=9), parameters(3, 4, gate=activation == "swiglu")
    _, cache = feed_forward_forward(x, params, activation=activation)
    dx, dparams = feed_forward_backward(dy, cache)

    def y_of(changed):
        return feed_forward_forward(x, params | changed, activation=activation)[0]
    for key, p in params.items():
        assert_close(dparams[key], numerical_gradient(lambda p, key=key: y_of({key: p}), p, dy), key, (1e-7, 1e-8))
    along_x = numerical_gradient(lambda x: feed_forward_forward(x, params, activation=activation)[0], x, dy)
    assert_close(dx, along_x, "dx", (1e-7, 1e-8))
