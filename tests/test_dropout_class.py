"""The class Dropout, and dropout in PyTorch without a generator."""
import pytest
import torch

import minigpt
from minigpt import fused
from minigpt.dropout import Dropout
from minigpt.dropout import dropout as spelled_out


@pytest.mark.parametrize("dropout", [spelled_out, fused.dropout])
def test_without_a_generator_torch_draws_from_its_own(dropout):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = dropout(torch.ones(1000), 0.75)
        second = dropout(torch.ones(1000), 0.75)
        torch.manual_seed(0)
        again = dropout(torch.ones(1000), 0.75)
    assert set(first.tolist()) == {0, 4}
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dropout", [spelled_out, fused.dropout])
def test_without_a_generator_too_the_gradient_passes_where_the_value_passed(dropout):
    x = torch.ones(1000, requires_grad=True)
    with torch.random.fork_rng():
        y = dropout(x, 0.75)
    y.sum().backward()
    assert torch.equal(x.grad, y)


def test_the_module_drops_while_training():
    with torch.random.fork_rng():
        assert (Dropout(0.5)(torch.ones(1000)) == 0).any()


def test_the_module_leaves_values_as_they_are_when_training_is_off():
    x = torch.ones(1000)
    assert torch.equal(Dropout(0.5).eval()(x), x)


def test_the_module_passes_its_rate_to_what_stands_in_for_dropout():
    with minigpt.use(dropout=lambda x, rate: rate):
        assert Dropout(0.3)(torch.ones(1)) == 0.3
        assert Dropout(0.3).eval()(torch.ones(1)) == 0
