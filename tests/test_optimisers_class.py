"""The class AdamW: what torch.optim.AdamW does, with our adamw inside."""
import copy

import pytest
import torch
from torch import nn

import minigpt
from minigpt.optimisers import AdamW, decay_groups


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def train(model, optimiser, steps=range(20)):
    """A small regression; the last layer has no gradient in the first five steps."""
    x = torch.randn(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for step in steps:
        optimiser.zero_grad()
        h = model[:2](x)
        y = h.sum(dim=-1) if step < 5 else model[2](h)[:, 0]
        (y - x[:, 0]).pow(2).mean().backward()
        optimiser.step()


@pytest.mark.parametrize("implementation", ["math", "fused"])
def test_the_class_agrees_with_pytorch(implementation):
    judged, model = network(), network()
    train(judged, torch.optim.AdamW(decay_groups(judged.named_parameters(), 0.1), lr=0.03))
    with minigpt.use(**minigpt.implementation(implementation)):
        train(model, AdamW(decay_groups(model.named_parameters(), 0.1), lr=0.03))
    for p, right in zip(model.parameters(), judged.parameters(), strict=True):
        torch.testing.assert_close(p, right, rtol=1e-12, atol=1e-12)


def test_the_class_goes_on_from_its_saved_state():
    model, twin = network(), network()
    optimiser, other = AdamW(model.parameters(), lr=0.03), AdamW(twin.parameters(), lr=0.5)
    train(model, optimiser, range(8))
    twin.load_state_dict(model.state_dict())
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for each, its in ((model, optimiser), (twin, other)):
        train(each, its, range(8, 12))
    for p, right in zip(twin.parameters(), model.parameters(), strict=True):
        assert torch.equal(p, right)


def test_only_matrices_decay():
    decayed, kept = decay_groups(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)).named_parameters(), 0.1)
    assert [p.shape for p in decayed["params"]] == [(4, 3)]
    assert [p.shape for p in kept["params"]] == [(4,), (4,), (4,)]
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)


def test_a_replaced_adamw_is_called():
    model, fresh = network(), network()
    with minigpt.use(adamw=lambda params, gradients, ms, vs, step, **options: (params, ms, vs)):
        train(model, AdamW(model.parameters(), lr=0.1))
    assert all(map(torch.equal, model.parameters(), fresh.parameters()))
