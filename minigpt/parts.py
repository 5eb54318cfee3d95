"""The parts of a model: which functions it calls while it learns or writes, and which of them are yours."""
import contextvars
import copy
import pathlib
import traceback
from contextlib import contextmanager
from dataclasses import replace

import torch

from minigpt import bridge, swap
from minigpt.errors import InputError
from minigpt.learner import Learner, own_generators

THE_DOOR = (bridge.__file__, swap.__file__)            # what these complain about is what came in by it


def called(work, functions=None):
    """Names of the replaceable functions that `work()` calls.

    functions: {name: function} that stand in; then only the names of those that are called.
    Raises ValueError if one of these returns what cannot stand in for what ours returns.
    """
    names = set()

    def noted(name, function):
        def note(*args, **kwargs):
            names.add(name)
            expected = contextvars.Context().run(swap.original(name), *args, **kwargs) if functions else None
            got = function(*args, **kwargs)
            _require_alike(name, got, expected)
            return got
        note.contains = frozenset()                    # not being called is what we ask about, so no error
        return note

    watched = {name: swap.original(name) for name in swap.known_names()} if functions is None else functions
    with swap.use(**{name: noted(name, function) for name, function in watched.items()}):
        work()
    return names


def learning(model, objective, batches, config):
    """What `called` can watch: one step of learning, of a copy, so that the model itself is left alone."""
    def work():
        probe = copy.deepcopy(model)
        with own_generators(probe, config.seed):
            Learner(probe, objective, batches, replace(config, minutes=None, tokens=None, steps=1)).take_step()
    return work


def _require_alike(name, got, expected):
    """Raise ValueError unless a tensor is there where one is expected, of its shape and as finite."""
    if not isinstance(expected, torch.Tensor):
        return
    kinds = [f"a tensor {tuple(y.shape)}" if isinstance(y, torch.Tensor) else type(y).__name__ for y in (got, expected)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{name} returned {kinds[0]}, where ours returns {kinds[1]}")
    if expected.isfinite().all() and not got.isfinite().all():
        raise ValueError(f"{name} returned NaN or infinity, where ours returns numbers")


@contextmanager
def blaming(path, always=False):
    """Turn an error that comes out of the user's file or folder `path`, if any, into one line that says where.

    always: any error is blamed on it, wherever it comes out: the same has just gone well without it.
    """
    if path is None:
        yield
        return
    path = pathlib.Path(path).resolve()
    try:
        yield
    except InputError as error:
        if not always:
            raise
        raise InputError(f"--mine {path}: {error}") from error
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__)
                  if path in (file := pathlib.Path(frame.filename).resolve(), *file.parents)]
        if not (frames or always) and traceback.extract_tb(error.__traceback__)[-1].filename not in THE_DOOR:
            raise
        where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else path
        raise InputError(f"--mine {where}: {type(error).__name__}: {error}") from error

