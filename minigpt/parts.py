"""The parts of a model: which functions it calls while it learns, and which of them are yours."""
import copy
import pathlib
import traceback
from contextlib import contextmanager
from dataclasses import replace

from minigpt import bridge, swap
from minigpt.errors import InputError
from minigpt.learner import Learner, own_generators

THE_DOOR = (bridge.__file__, swap.__file__)            # what these complain about is what came in by it


def called(model, objective, batches, config, functions=None):
    """Names of the replaceable functions that one step of learning calls; the model itself is left alone.

    functions: {name: function} that stand in; then only the names of those that are called.
    """
    names = set()

    def noted(name, function):
        def note(*args, **kwargs):
            names.add(name)
            return function(*args, **kwargs)
        note.contains = frozenset()                    # not being called is what we ask about, so no error
        return note

    if functions is None:
        functions = {name: swap._originals[name] for name in swap.known_names()}
    doors = {name: noted(name, function) for name, function in functions.items()}
    probe = copy.deepcopy(model)
    with swap.use(**doors), own_generators(probe, config.seed):
        Learner(probe, objective, batches, replace(config, minutes=None, tokens=None, steps=1)).take_step()
    return names


@contextmanager
def blaming(path):
    """Turn an error that comes out of the user's file or folder `path`, if any, into one line that says where."""
    if path is None:
        yield
        return
    path = pathlib.Path(path).resolve()
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__)
                  if path in (file := pathlib.Path(frame.filename).resolve(), *file.parents)]
        if not frames and traceback.extract_tb(error.__traceback__)[-1].filename not in THE_DOOR:
            raise
        where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else path
        raise InputError(f"--mine {where}: {type(error).__name__}: {error}") from error

