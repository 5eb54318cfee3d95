"""The contract of the exercise modern_block.4: its answer is not in the package."""
import numpy as np
import pytest
import torch
from solutions.parallel_block import parallel_block_backward, parallel_block_forward

from minigpt.config import TransformerConfig
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, untouched
from minigpt.grading.op import Op
from minigpt.transformer import Block

SMALL = {"vocab_size": 7, "context_length": 6, "n_layer": 1, "n_head": 2, "d_model": 8, "d_ff": 6, "norm": "rms_norm",
         "positions": "rope", "bias": False}
CONFIGS = {"swiglu": TransformerConfig(**SMALL, feed_forward="swiglu"),
           "relu squared, shared key heads": TransformerConfig(**SMALL, feed_forward="relu_squared", n_kv_head=1),
           "other settings": TransformerConfig(**SMALL, feed_forward="gelu", norm_eps=0.1, rope_theta=50.0)}


def parameters(config, seed=0):
    """Weights far from their start; of the two norms of a block one is enough here."""
    rng = np.random.default_rng(seed)
    shapes = {name.replace("attention_norm", "norm"): p.shape for name, p in Block(config).state_dict().items()
              if not name.startswith("feed_forward_norm")}
    return {name: rng.normal(size=tuple(shape)) * 0.5 for name, shape in shapes.items()}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def by_pytorch(x, params, config):
    """The modules of our block, side by side."""
    module = Block(config).double()
    state = {name.replace("attention_norm", "norm"): p for name, p in module.named_parameters()}
    h = torch.nn.functional.rms_norm(x, x.shape[-1:], params["norm.weight"], config.norm_eps)
    parts = {name: {key.removeprefix(f"{name}."): params[key] for key in state if key.startswith(f"{name}.")}
             for name in ("attention", "feed_forward")}
    a, f = (torch.func.functional_call(getattr(module, name), values, (h,)) for name, values in parts.items())
    return x + a + f


PYTORCH = Op("parallel_block", "PyTorch", {"parallel_block": by_pytorch}, is_torch=True)


def named(run):
    y, (dx, dparams) = run
    return {"y": y, "dx": dx, "dparams": dparams}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_it_agrees_with_pytorch(op, name):
    config = CONFIGS[name]
    x, params, dy = normal(2, 5, 8), parameters(config), normal(2, 5, 8, seed=1)
    expected = named(PYTORCH.run((x, params, config), dy))
    assert_close(named(op.run((x, params, config), dy)), expected, "result")


def test_a_block_of_zeros_is_the_stream_itself(op):
    config, x, dy = CONFIGS["swiglu"], normal(2, 5, 8), normal(2, 5, 8, seed=1)
    params = {name: np.zeros_like(p) for name, p in parameters(config).items()}
    y, (dx, dparams) = op.run((x, params, config), dy)
    assert_close(y, x)
    assert_close(dx, dy, "dx")
    assert set(dparams) == set(params)


def test_the_two_branches_do_not_read_each_other(op):
    config, x = CONFIGS["swiglu"], normal(2, 5, 8)
    params = parameters(config)
    alone = [{key: p * key.startswith(("norm", kept)) for key, p in params.items()} for kept in ("attention",
                                                                                                "feed_forward")]
    a, f = (op.forward((x, some, config)) - x for some in alone)
    assert_close(op.forward((x, params, config)), x + a + f)


def test_the_future_never_changes_the_past(op):
    config, x = CONFIGS["swiglu"], normal(2, 5, 8)
    params, changed = parameters(config), x.copy()
    changed[:, 3] += 1
    before, after = op.forward((x, params, config)), op.forward((changed, params, config))
    assert_close(after[:, :3], before[:, :3], "the outputs before the change")
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 1e-3


def test_a_single_position(op):
    config = CONFIGS["swiglu"]
    x, params, dy = normal(1, 1, 8), parameters(config), normal(1, 1, 8, seed=1)
    assert_close(named(op.run((x, params, config), dy)), named(PYTORCH.run((x, params, config), dy)), "result")


def test_inputs_are_left_untouched(op):
    config = CONFIGS["swiglu"]
    x, params, dy = normal(2, 5, 8), parameters(config), normal(2, 5, 8, seed=1)
    with untouched(x=x, dy=dy, **{name.replace(".", "_"): p for name, p in params.items()}):
        op.run((x, params, config), dy)


def test_float32_stays_float32(op):
    config = CONFIGS["swiglu"]
    params = {name: p.astype(np.float32) for name, p in parameters(config).items()}
    got = named(op.run((normal(2, 5, 8).astype(np.float32), params, config), normal(2, 5, 8).astype(np.float32)))
    assert all(a.dtype == np.float32 for a in (got["y"], got["dx"], *got["dparams"].values()))


def test_the_solution_s_gradient_equals_finite_differences():
    config = CONFIGS["swiglu"]
    params = parameters(config)

    def forward(x):
        return parallel_block_forward(x, params, config)

    def backward(dy, cache):
        return (parallel_block_backward(dy, cache)[0],)
    [error] = gradient_errors(forward, backward, (normal(1, 3, 8),), normal(1, 3, 8, seed=1))
    assert error < 1e-7
