"""What a model passes to its functions: recorded, to call one of them again by itself, on other values."""
import contextlib
import contextvars
import copy
import random
from collections import namedtuple

import numpy as np
import torch

from minigpt import swap
from minigpt.learner import own_generators

ROWS, TOKENS = 2, 8     # of a batch: enough to mix up rows, and quick for a function that is written with loops
CALLS = 3               # of one function, each with another kind of arguments

# {place: value}, and the places of those that need a gradient. A place is a position, or the name of a keyword.
Call = namedtuple("Call", "values inputs")


def recorded(functions, model, objective, batch, seed):
    """{name: a few Calls} of functions that need a gradient, in one pass through a copy of the model.

    functions: {name: function that stands in}. objective: (model, batch) -> (loss, n). batch: (B, T+1) token ids.
    """
    calls = {name: {} for name in functions}

    def recorder(name, function):
        def recording(*args, **kwargs):
            given = dict(enumerate(args)) | kwargs
            inputs = [k for k, v in given.items() if is_float(v) and v.requires_grad]
            if inputs and torch.is_grad_enabled() and len(calls[name]) < CALLS:
                kind = tuple((k, _kind(v)) for k, v in given.items())
                calls[name].setdefault(kind, Call({k: _copied(v) for k, v in given.items()}, inputs))
            return function(*args, **kwargs)
        recording.contains = frozenset()               # not being called is no error here
        return recording

    probe = copy.deepcopy(model).cpu().train()
    with swap.use(**{name: recorder(name, f) for name, f in functions.items()}), own_generators(probe, seed):
        objective(probe, batch[:ROWS, :TOKENS + 1])
    return {name: list(found.values()) for name, found in calls.items()}


def again(function, call, changed=None, *, dtype=torch.float64, luck=0):
    """function(...) as it was called, but for the inputs {place: value} that changed.

    Nothing of the user's stands in meanwhile, numbers are of that dtype, and the same luck draws the same.
    """
    values = {k: _copied(v) for k, v in call.values.items()} | {k: v.clone() for k, v in (changed or {}).items()}
    values = {k: v.to(dtype) if is_float(v) else v for k, v in values.items()}
    options = {k: v for k, v in values.items() if isinstance(k, str)}
    with _same_luck(luck):
        return contextvars.Context().run(function, *(v for k, v in values.items() if isinstance(k, int)), **options)


def is_float(value):
    """Whether a value is a tensor of numbers that have gradients."""
    return isinstance(value, torch.Tensor) and value.is_floating_point()


@contextlib.contextmanager
def _same_luck(seed):
    """Inside, whatever is drawn from the generators that everybody shares is the same each time."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def _copied(value):
    """A copy that nobody else can change."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, torch.Generator):
        return torch.Generator().manual_seed(0)
    return copy.deepcopy(value)


def _kind(value):
    return (value.dtype, value.ndim) if isinstance(value, torch.Tensor) else repr(value)[:40]
