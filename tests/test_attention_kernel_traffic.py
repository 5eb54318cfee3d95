"""The kernels of attention beside their tiles in NumPy: the same values, tiles, bytes and products. The way there."""
import numpy as np
import pytest
import torch
from test_tiled_attention import SHAPES, problem

from minigpt.attention import attention as spelled_out
from minigpt.reference.tiled import attention as tiled

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import attention as forward
from kernels import attention_backward as backward
from kernels import attention_steps as steps
from kernels import traffic
from kernels.sanitize import sanitized

PARTS = ("delta", "dkdv", "dq")


def tensors(*arrays, dtype=torch.float32):
    return [torch.tensor(x, dtype=dtype, requires_grad=True) for x in arrays]


class Silent:
    """Stands for a kernel that is not launched."""

    arg_names = ()

    def __getitem__(self, grid):
        return lambda *args, **options: None


def measured(sizes, causal, key_mask, part, monkeypatch):
    """(meter, tiles) of one kernel: "forward", or a part of the backward while its other parts are silent."""
    q, k, v, dy = tensors(*problem(*sizes)[:4])
    options = {"causal": causal, "key_mask": None if key_mask is None else torch.tensor(key_mask)}
    widths = (*sizes[5:], torch.float32, 80)
    if part == "forward":
        with sanitized() as meter:
            forward.attention(q, k, v, **options)
        return meter, forward.configuration(*widths)
    for other in PARTS:
        if other != part:
            monkeypatch.setattr(backward, f"attention_backward_{other}_kernel", Silent())
    y = forward.attention(q, k, v, **options)
    with sanitized() as meter:
        y.backward(dy)
    return meter, backward.configuration(part, *widths)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_the_kernels_agree_with_their_tiles_in_numpy_to_1e_5(sizes, causal):
    *arrays, key_mask = problem(*sizes)
    q, k, v, dy = tensors(*arrays)
    y = forward.attention(q, k, v, causal=causal, key_mask=torch.tensor(key_mask))
    expected, cache = tiled.attention_forward(*arrays[:3], causal=causal, key_mask=key_mask)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-5, atol=1e-5)
    for got, right in zip(torch.autograd.grad(y, (q, k, v), dy), tiled.attention_backward(arrays[3], cache),
                          strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["forward", *PARTS])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_a_kernel_moves_and_multiplies_what_its_closed_form_says(sizes, masked, part, monkeypatch):
    key_mask = problem(*sizes)[4] if masked else None
    meter, tiles = measured(sizes, masked, key_mask, part, monkeypatch)
    work = {"forward": traffic.attention_forward} | {p: getattr(traffic, f"attention_backward_{p}") for p in PARTS}
    expected = work[part](sizes, 4, tiles, causal=masked, key_mask=masked)
    assert (meter.load_bytes, meter.store_bytes, meter.flops) == (expected.loads, expected.stores, expected.issued)
    assert expected.useful <= expected.issued


@pytest.mark.parametrize("part", ["forward", "dkdv", "dq"])
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_a_kernel_visits_the_tiles_that_numpy_does_and_loads_the_same(sizes, part, monkeypatch):
    q, k, v, dy, key_mask = problem(*sizes)
    meter, tiles = measured(sizes, True, key_mask, part, monkeypatch)
    blocks, memory = {name: tiles[name] for name in ("BLOCK_T", "BLOCK_S")}, tiled.Memory()
    _, cache = tiled.attention_forward(q, k, v, causal=True, key_mask=key_mask, **blocks)
    if part != "forward":
        tiled.attention_backward(dy, cache, memory=memory)
    of_a_pair = {"forward": (1, 1), "dkdv": (2, 2), "dq": (2, 1)}[part]         # products of width D, of width E
    width = np.dot(of_a_pair, (tiles["BLOCK_D"], tiles["BLOCK_E"]))
    visited = memory.tiles[part] if memory.tiles else cache.tiles
    assert meter.flops == 2 * sizes[0] * sizes[1] * len(visited) * np.prod([*blocks.values()]) * width
    if part == "forward":
        assert meter.load_bytes == sum(n * (1 if name == "key_mask" else 4) for name, n in cache.loaded.items())
        assert meter.store_bytes == 4 * cache.stored.total()


def test_numpy_loads_and_stores_in_the_backward_what_the_three_kernels_do():
    *arrays, key_mask = problem(*SHAPES[1])
    q, k, v, dy = tensors(*arrays)
    y = forward.attention(q, k, v, causal=True, key_mask=torch.tensor(key_mask))
    tiles, memory = backward.configuration("dq", 16, 16, torch.float32, 80), tiled.Memory()
    _, cache = tiled.attention_forward(*arrays[:3], causal=True, key_mask=key_mask)
    with sanitized() as meter, pytest.MonkeyPatch.context() as patch:
        patch.setattr(backward, "configuration", lambda *_: tiles)               # one size of tiles for all
        y.backward(dy)
    tiled.attention_backward(dy.detach().numpy(), cache, BLOCK_T=tiles["BLOCK_T"], BLOCK_S=tiles["BLOCK_S"],
                             memory=memory)
    assert meter.load_bytes == sum(n * (1 if name == "key_mask" else 4) for name, n in memory.loaded.items())
    assert meter.store_bytes == 4 * memory.stored.total()


@pytest.mark.parametrize(("T", "S"), [(1, 1), (5, 5), (3, 7), (7, 3)])
def test_useful_products_are_those_of_pairs_that_may_meet(T, S):
    tiles = forward.configuration(1, 1, torch.float32, 80)
    for causal, pairs in ((True, np.tri(T, S, S - T).sum()), (False, T * S)):
        assert traffic.attention_forward((1, 1, 1, T, S, 1, 1), 4, tiles, causal=causal).useful == 2 * 2 * pairs


# The way there

@pytest.mark.parametrize("function", [steps.naive_attention, steps.tiled_attention])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("T", [1, 15, 16, 17, 65])
@pytest.mark.parametrize("S", [1, 17, 65])
def test_the_steps_agree_with_attention(function, causal, T, S):
    q, k, v, *_ = tensors(*problem(1, 2, 1, T, S, 5, 7)[:3])
    with sanitized():
        y = function(q, k, v, causal)
    torch.testing.assert_close(y, spelled_out(q, k, v, causal=causal), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_the_steps_move_what_their_closed_forms_say(sizes):
    q, k, v = tensors(*problem(*sizes)[:3])
    tiles = steps.configuration(*sizes[5:], torch.float32)
    rows = traffic.softmax_forward(sizes[0] * sizes[1] * sizes[3], sizes[4], 4)
    parts = [work(sizes, 4, tiles, causal=True) for work in (traffic.attention_scores, traffic.attention_average)]
    for function, expected in ((steps.naive_attention, [*parts, rows]),
                               (steps.tiled_attention, [traffic.attention_tiled(sizes, 4, tiles, causal=True)])):
        with sanitized() as meter:
            function(q, k, v, causal=True)
        assert meter.load_bytes == sum(work.loads for work in expected)
        assert meter.store_bytes == sum(work.stores for work in expected)
        assert meter.flops == sum(work.issued for work in expected)
