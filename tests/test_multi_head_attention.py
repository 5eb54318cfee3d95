"""The contract of multi_head_attention."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from torch import nn

from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward

ALSO = ["test_multi_head_attention_cache"]
PARTS = ("query", "key", "value", "output")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def parameters(C, *, bias=True, shared=None):
    """shared: rows of key and value, G D; None means C."""
    rows = {"key": shared or C, "value": shared or C}
    params = {f"{name}.weight": normal(rows.get(name, C), C, seed=seed) for seed, name in enumerate(PARTS, 1)}
    return params | {f"{name}.bias": normal(rows.get(name, C), seed=seed) for seed, name in enumerate(PARTS, 5) if bias}


def judge_of_the_modern_settings(x, params, *, n_head, rope_theta, query_key_norm, causal):
    """Rope as a product of complex numbers, shared heads as repeated ones, in PyTorch."""
    T, D = x.shape[1], x.shape[-1] // n_head
    heads = {}
    for name in PARTS[:3]:
        z = nn.functional.linear(x, params[f"{name}.weight"], params.get(f"{name}.bias"))
        heads[name] = z.unflatten(-1, (-1, D)).transpose(1, 2)
        heads[name] = heads[name].repeat_interleave(n_head // heads[name].shape[1], dim=1)
    turns = torch.outer(torch.arange(T).double(), rope_theta ** (-torch.arange(D // 2).double() * 2 / D))
    for name in PARTS[:2]:
        z = heads[name]
        z = z / (z.square().mean(-1, keepdim=True) + 1e-5).sqrt() if query_key_norm else z
        z = torch.complex(z[..., :D // 2], z[..., D // 2:]) * torch.polar(torch.ones_like(turns), turns)
        heads[name] = torch.cat([z.real, z.imag], dim=-1)
    y = nn.functional.scaled_dot_product_attention(*heads.values(), is_causal=causal)
    return nn.functional.linear(y.transpose(1, 2).flatten(2), params["output.weight"], params.get("output.bias"))


def test_a_worked_example(op):
    # two heads of width 1. Head 0 asks for nothing, so it takes the mean; head 1 of query 0 has scores ln 3 and 0
    x = np.array([[[4.0, 1.0], [8.0, 0.0]]])
    params = {f"{name}.weight": np.eye(2) for name in PARTS} | {"query.weight": np.diag([0, np.log(3)])}
    y = op.forward((x, params), n_head=2)
    assert_close(y, np.array([[[6.0, 0.75], [6.0, 0.5]]]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_it_agrees_with_pytorch(op, causal, bias):
    x, dy, params = normal(2, 5, 6), normal(2, 5, 6, seed=9), parameters(6, bias=bias)
    key_mask = np.array([[True] * 5, [True, True, False, True, False]])
    judge = nn.MultiheadAttention(6, 3, bias=bias, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for kind in ("weight", "bias")[:1 + bias]:
            inner = np.concatenate([params[f"{name}.{kind}"] for name in PARTS[:3]])
            getattr(judge, f"in_proj_{kind}").copy_(torch.tensor(inner))
            getattr(judge.out_proj, kind).copy_(torch.tensor(params[f"output.{kind}"]))
    x_torch, hidden = torch.tensor(x, requires_grad=True), torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected, _ = judge(x_torch, x_torch, x_torch, key_padding_mask=torch.tensor(~key_mask),
                        attn_mask=hidden if causal else None, need_weights=False)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params), dy, n_head=3, causal=causal, key_mask=key_mask)
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    for kind in ("weight", "bias")[:1 + bias]:
        inner = getattr(judge, f"in_proj_{kind}").grad.numpy().reshape(3, 6, -1)
        for name, right in zip(PARTS, (*inner, getattr(judge.out_proj, kind).grad.numpy()), strict=True):
            got = dparams[f"{name}.{kind}"]
            assert_close(got, right.reshape(got.shape), f"dparams['{name}.{kind}']")


def test_without_biases_there_are_no_gradients_of_biases(op):
    _, (_, dparams) = op.run((normal(1, 3, 4), parameters(4, bias=False)), normal(1, 3, 4), n_head=2)
    assert sorted(dparams) == sorted(f"{name}.weight" for name in PARTS)


@pytest.mark.parametrize("changes", [{}, {"query_key_norm": False}, {"causal": False}])
def test_shared_heads_rope_and_query_key_norm_agree_with_complex_numbers_in_pytorch(op, changes):
    options = {"n_head": 4, "causal": True, "rope_theta": 100.0, "query_key_norm": True} | changes
    params = parameters(16, shared=8)
    x, dy = normal(2, 5, 16), normal(2, 5, 16, seed=9)
    leaves = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    x_torch = torch.tensor(x, requires_grad=True)
    expected = judge_of_the_modern_settings(x_torch, leaves, **options)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params), dy, **options)
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    assert_close(dparams, {name: p.grad.numpy() for name, p in leaves.items()}, "dparams")


def test_longer_queries_and_keys_change_nothing_when_they_are_normalised(op):
    x, params = normal(1, 4, 8), parameters(8, bias=False)
    longer = params | {"query.weight": 100 * params["query.weight"], "key.weight": 0.01 * params["key.weight"]}
    assert_close(op.forward((x, longer), n_head=2, query_key_norm=True),
                 op.forward((x, params), n_head=2, query_key_norm=True), tolerance=(1e-1, 1e-1))


def test_with_rope_the_order_of_the_positions_matters(op):
    x, params, order = normal(2, 5, 6), parameters(6), np.array([3, 1, 4, 0, 2])
    moved = op.forward((x[:, order], params), n_head=1, rope_theta=100.0)
    assert np.abs(moved - op.forward((x, params), n_head=1, rope_theta=100.0)[:, order]).max() > 1e-2


def test_the_order_of_the_heads_does_not_matter(op):
    x, params = normal(2, 5, 6), parameters(6)
    order = np.array([4, 5, 0, 1, 2, 3])                      # three heads of width 2, moved by one
    moved = {name: p[order] for name, p in params.items() if not name.startswith("output")}
    moved |= {"output.weight": params["output.weight"][:, order], "output.bias": params["output.bias"]}
    assert_close(op.forward((x, moved), n_head=3), op.forward((x, params), n_head=3))


def test_moving_the_positions_moves_the_outputs(op):
    x, params, order = normal(2, 5, 6), parameters(6), np.array([3, 1, 4, 0, 2])
    assert_close(op.forward((x[:, order], params), n_head=3), op.forward((x, params), n_head=3)[:, order])


def test_future_tokens_do_not_change_past_outputs(op):
    x, params = normal(2, 5, 6), parameters(6)
    before = op.forward((x, params), n_head=2, causal=True)
    x[:, 3:] += 10
    after = op.forward((x, params), n_head=2, causal=True)
    assert_close(after[:, :3], before[:, :3])
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 1


def test_sequences_do_not_mix(op):
    x, params = normal(3, 4, 6), parameters(6)
    assert_close(op.forward((x, params), n_head=2)[1:2], op.forward((x[1:2], params), n_head=2))


def test_a_single_position_passes_on_its_own_value(op):
    x, params = normal(2, 1, 4), parameters(4)
    value = x @ params["value.weight"].T + params["value.bias"]
    expected = value @ params["output.weight"].T + params["output.bias"]
    assert_close(op.forward((x, params), n_head=2, causal=True), expected)


def test_no_sequences_give_no_outputs(op):
    y, (dx, dparams) = op.run((np.zeros((0, 3, 4)), parameters(4)), np.zeros((0, 3, 4)), n_head=2)
    assert y.shape == dx.shape == (0, 3, 4)
    assert_close(dparams["value.weight"], np.zeros((4, 4)), "dW_value")


def test_inputs_are_left_untouched(op):
    x, dy, params = normal(2, 3, 4), normal(2, 3, 4, seed=9), parameters(4)
    with untouched(x=x, dy=dy, params=params):
        op.run((x, params), dy, n_head=2, causal=True)


def test_strided_arrays_give_the_same(op):
    x, params = normal(4, 3, 4).swapaxes(0, 2), {key: p.T for key, p in parameters(4).items()}
    y, (dx, dparams) = op.run((x[::2], params), x[1::2], n_head=2, causal=True)
    expected, cache = multi_head_attention_forward(
        x[::2].copy(), {key: p.copy() for key, p in params.items()}, n_head=2, causal=True)
    assert_close(y, expected)
    dx_expected, dparams_expected = multi_head_attention_backward(x[1::2].copy(), cache)
    assert_close(dx, dx_expected, "dx")
    assert_close(dparams, dparams_expected, "dparams")


def test_a_masked_position_has_no_influence(op):
    x, params, key_mask = normal(2, 4, 6), parameters(6), np.array([[True, False, True, True]] * 2)
    before, after = (op.forward((x + change * ~key_mask[..., None], params), n_head=3, key_mask=key_mask)
                     for change in (0, 9))
    assert_close(after[key_mask], before[key_mask])


def test_float32_stays_float32(op):
    params = {key: p.astype(np.float32) for key, p in parameters(4).items()}
    x = normal(2, 3, 4).astype(np.float32)
    y, (dx, dparams) = op.run((x, params), x, n_head=2, causal=True, key_mask=np.ones((2, 3), dtype=bool))
    assert all(a.dtype == np.float32 for a in (y, dx, *dparams.values()))


def test_heads_that_do_not_divide_are_refused(op):
    with refused("3 heads in a width of 4"):
        op.forward((normal(1, 2, 4), parameters(4)), n_head=3)
    with refused("3 query heads and 2 key heads"):
        op.forward((normal(1, 2, 6), parameters(6, shared=4)), n_head=3)


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 5), G=st.integers(1, 2), share=st.integers(1, 3),
                  D=st.sampled_from([2, 4]), causal=st.booleans(), theta=st.sampled_from([None, 50.0]),
                  norm=st.booleans())
def test_any_shape_agrees_with_the_reference(op, B, T, G, share, D, causal, theta, norm):
    C = G * share * D
    x, dy, params = normal(B, T, C), normal(B, T, C, seed=9), parameters(C, shared=G * D)
    options = {"n_head": G * share, "causal": causal, "rope_theta": theta, "query_key_norm": norm}
    y, (dx, dparams) = op.run((x, params), dy, **options)
    expected, cache = multi_head_attention_forward(x, params, **options)
    assert_close(y, expected)
    dx_expected, dparams_expected = multi_head_attention_backward(dy, cache)
    assert_close(dx, dx_expected, "dx")
    assert_close(dparams, dparams_expected, "dparams")
