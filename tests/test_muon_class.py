"""The class Muon: `muon` over the parameters of a model, with a state that can be saved."""
import copy

import numpy as np
import pytest
import torch
from test_muon import OPTIONS, muon_by_svd
from torch import nn

import minigpt
from minigpt.muon import Muon


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12, bias=False), nn.Tanh(), nn.Linear(12, 3, bias=False)).double()


def train(model, optimiser, steps=range(10)):
    """A small regression; the last layer has no gradient in the first three steps."""
    x = torch.randn(32, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for step in steps:
        optimiser.zero_grad()
        h = model[:2](x)
        y = h[:, :3] if step < 3 else model[2](h)
        (y - x[:, :3]).pow(2).mean().backward()
        optimiser.step()


@pytest.mark.parametrize("implementation", ["math", "fused"])
def test_the_class_agrees_with_the_judge_for_a_matrix_without_a_gradient_too(implementation):
    model, judged = network(), network()
    with minigpt.use(**minigpt.implementation(implementation)):
        train(model, Muon(model.parameters(), **OPTIONS))
    ms = [np.zeros(p.shape) for p in judged.parameters()]
    for step in range(10):
        train(judged, torch.optim.SGD(judged.parameters(), lr=0.0), range(step, step + 1))
        for i, p in enumerate(judged.parameters()):
            if p.grad is not None and step >= 3 * i:
                new, ms[i] = muon_by_svd(p.detach().numpy(), p.grad.numpy(), ms[i], **OPTIONS)
                p.data = torch.tensor(new)
    for p, right in zip(model.parameters(), judged.parameters(), strict=True):
        torch.testing.assert_close(p, right, rtol=1e-9, atol=1e-9)


def test_the_class_goes_on_from_its_saved_state():
    model, twin = network(), network()
    optimiser, other = Muon(model.parameters(), lr=0.03), Muon(twin.parameters(), lr=0.5)
    train(model, optimiser, range(6))
    twin.load_state_dict(model.state_dict())
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for each, its in ((model, optimiser), (twin, other)):
        train(each, its, range(6, 9))
    for p, right in zip(twin.parameters(), model.parameters(), strict=True):
        assert torch.equal(p, right)


def test_each_group_has_its_own_options():
    model, still = network(), network()
    train(model, Muon([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.0}], lr=0.1))
    assert not torch.equal(model[0].weight, still[0].weight)
    assert torch.equal(model[2].weight, still[2].weight)


def test_the_class_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match=r"not for shape \(4,\); give that parameter to AdamW"):
        Muon(nn.Linear(3, 4).parameters(), lr=0.1)


def test_a_loss_falls_under_muon():
    model, x = network(), torch.randn(32, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def loss():
        with torch.no_grad():
            return (model(x) - x[:, :3]).pow(2).mean().item()
    before = loss()
    train(model, Muon(model.parameters(), lr=0.03), range(3, 60))
    assert loss() < before / 5


@pytest.mark.parametrize("name", ["muon", "orthogonalise"])
def test_a_replacement_is_called(name):
    model, fresh = network(), network()
    stands_in = {"muon": lambda params, gradients, ms, **options: (params, ms), "orthogonalise": torch.zeros_like}
    with minigpt.use(**{name: stands_in[name]}):
        train(model, Muon(model.parameters(), lr=0.1))
    assert all(map(torch.equal, model.parameters(), fresh.parameters()))
