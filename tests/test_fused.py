"""Fused functions say truly what they contain: that is how yours gets called, and nothing is put back in vain."""
import functools
import importlib

import pytest
import torch

import minigpt
from minigpt import swap

FUSED = sorted(minigpt.implementation("fused"))


def tensor(*shape):
    return torch.linspace(-1, 1, int(torch.tensor(shape).prod())).reshape(shape)


HEADS = tensor(2, 2, 3, 4)
EXAMPLES = {    # arguments with which the spelled-out form calls all that it ever calls
    "adamw": (([tensor(2, 3)], [tensor(2, 3)], [tensor(2, 3)], [tensor(2, 3) ** 2], 1), {"lr": 0.1}),
    "attention": ((HEADS, HEADS, HEADS), {"causal": True, "key_mask": torch.ones(2, 3) > 0, "dropout": 0.5}),
    "cross_entropy": ((tensor(2, 5), torch.tensor([1, -100])), {}),
    "dropout": ((tensor(3, 4), 0.5), {}),
    "embedding": ((torch.tensor([2, 0]), tensor(3, 4)), {}),
    "gelu": ((tensor(3, 4),), {}),
    "gelu_tanh": ((tensor(3, 4),), {}),
    "layer_norm": ((tensor(3, 4), tensor(4), tensor(4)), {}),
    "linear": ((tensor(3, 4), tensor(2, 4), tensor(2)), {}),
    "muon": (([tensor(2, 3)], [tensor(2, 3)], [tensor(2, 3)]), {"lr": 0.1}),
    "orthogonalise": ((tensor(2, 3, 4),), {}),
    "relu_squared": ((tensor(3, 4),), {}),
    "rms_norm": ((tensor(3, 4), tensor(4)), {}),
    "rope": ((HEADS, torch.arange(3)), {}),
    "silu": ((tensor(3, 4),), {}),
    "softmax": ((tensor(3, 4),), {}),
}


def door(name):
    """The function of the model that `use` can replace."""
    swap.known_names()
    module = importlib.import_module(swap.original(name).__module__)
    return getattr(module, name)


def recording(name, called):
    """The original, which notes its name when it is called. `contains` makes it one of ours: it need not be."""
    @functools.wraps(door(name))
    def function(*args, **kwargs):
        called.add(name)
        return door(name)(*args, **kwargs)

    function.contains = frozenset()
    return function


def calls_of(name):
    """Names of the replaceable functions that the spelled-out form of `name` calls, itself included."""
    called = set()
    args, options = EXAMPLES[name]
    with minigpt.use(**{other: recording(other, called) for other in swap.known_names()}), torch.random.fork_rng():
        door(name)(*args, **options)
    return called


def test_every_fused_function_has_an_example_here():
    assert sorted(EXAMPLES) == FUSED


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_function_contains_exactly_what_its_spelled_out_form_calls(name):
    assert calls_of(name) - {name} == minigpt.implementation("fused")[name].contains


@pytest.mark.parametrize(("name", "inner"), [(name, inner) for name in FUSED
                                             for inner in sorted(minigpt.implementation("fused")[name].contains)])
def test_a_replacement_of_what_a_fused_function_contains_is_called(name, inner):
    calls = []

    def mine(*args, **kwargs):
        calls.append(inner)
        return door(inner)(*args, **kwargs)

    args, options = EXAMPLES[name]
    with minigpt.use(**minigpt.implementation("fused")), minigpt.use(**{inner: mine}), torch.random.fork_rng():
        door(name)(*args, **options)
    assert calls == [inner]


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_function_is_what_the_model_calls_when_it_is_asked_for(name):
    calls, fused = [], minigpt.implementation("fused")[name]

    @functools.wraps(fused)
    def counted(*args, **kwargs):
        calls.append(name)
        return fused(*args, **kwargs)

    args, options = EXAMPLES[name]
    with minigpt.use(**minigpt.implementation("fused") | {name: counted}), torch.random.fork_rng():
        door(name)(*args, **options)
    assert calls == [name]
