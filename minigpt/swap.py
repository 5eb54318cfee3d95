"""The one door through which an implementation enters the model.

    with minigpt.use(softmax=my_softmax):       # my_softmax stands in wherever the model calls softmax
        train(...)

A function that carries the attribute `contains` is one of ours: fused or a kernel, and `contains` names
the functions that it computes inside itself. It gives way when one of those is replaced by yours, because
a fused attention would never call your softmax.
"""
import contextvars
import difflib
import functools
import importlib
import pathlib
import types
from contextlib import contextmanager

_originals = {}                                        # name -> the spelled-out function
_replacements = contextvars.ContextVar("replacements", default=types.MappingProxyType({}))      # name -> stand-in

IMPLEMENTATIONS = ("math", "fused", "triton")


def replaceable(function):
    """Let `use(NAME=...)` stand in for this function wherever it was imported from."""
    name = function.__name__
    _originals[name] = function

    @functools.wraps(function)
    def door(*args, **kwargs):
        active = _replacements.get()
        if name not in active:
            return function(*args, **kwargs)
        inside = {key: f for key, f in active.items() if key != name}
        token = _replacements.set(inside)              # inside, the name means the original: no recursion
        try:
            return active[name](*args, **kwargs)
        finally:
            _replacements.reset(token)

    return door


@contextmanager
def use(**replacements):
    """Replace functions of the model, by name, inside a `with` block.

    Raises KeyError for a name that the model does not have, and RuntimeError on leaving the block if one
    of your functions was never called.
    """
    counted = {name: _counting(_known(name), function) for name, function in replacements.items()}
    token = _replacements.set(_merge(dict(_replacements.get()), counted))
    try:
        yield
    finally:
        _replacements.reset(token)
    unused = [name for name, f in counted.items() if not _is_ours(f) and f.calls == 0]
    if unused:
        raise RuntimeError(f"{', '.join(unused)}: replaced, but never called by what ran inside the block")


def implementation(name):
    """The replacements behind `--implementation NAME`: math (none), fused (PyTorch's own), triton (kernels)."""
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"implementation={name!r} is not one of {', '.join(IMPLEMENTATIONS)}")
    if name == "math":
        return {}
    if name == "fused":
        return _functions_of_ours(importlib.import_module("minigpt.fused"))
    found = {}
    for path in sorted((pathlib.Path(__file__).parent.parent / "kernels").glob("[a-z]*.py")):
        found |= _functions_of_ours(importlib.import_module(f"kernels.{path.stem}"))
    return found


def fused_between(items):
    """Go through an iterator with `fused` where nothing stands in yet; between its items all is as outside."""
    active, context = _replacements.get(), contextvars.copy_context()
    block = use(**{name: f for name, f in implementation("fused").items() if name not in active})
    context.run(block.__enter__)
    try:
        while (item := context.run(next, items, block)) is not block:
            yield item
    finally:
        context.run(block.__exit__, None, None, None)


def known_names():
    """Names of all functions that can be replaced."""
    for path in sorted((pathlib.Path(__file__).parent / "reference").glob("[a-z]*.py")):
        importlib.import_module(f"minigpt.{path.stem}")
    return sorted(_originals)


def is_fused(name):
    """Whether what stands in for `name` now is one of ours that computes several of the model's functions in one."""
    return bool(getattr(_replacements.get().get(name), "contains", ()))


def yours(*names):
    """Whether a function of yours, not one of ours, stands in for one of these names now."""
    active = _replacements.get()
    return any(name in active and not _is_ours(active[name]) for name in names)


def original(name):
    """The spelled-out function of ours behind a name, whatever stands in for it now. Raises KeyError like `use`."""
    return _originals[_known(name)]


def _known(name):
    if name not in _originals and name not in known_names():
        close = difflib.get_close_matches(name, _originals, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise KeyError(f"no function {name!r} to replace; {hint}known: {', '.join(sorted(_originals))}")
    return name


def _counting(name, function):
    @functools.wraps(function)                         # carries `contains` along, if there
    def counted(*args, **kwargs):
        counted.calls += 1
        return function(*args, **kwargs)

    counted.calls = 0
    return counted


def _merge(active, new):
    """Yours wins over ours, and ours gives way where it would hide yours."""
    allowed = {n: f for n, f in new.items() if not _is_ours(f) or n not in active or _is_ours(active[n])}
    merged = active | allowed
    yours = {name for name, f in merged.items() if not _is_ours(f)}
    return {name: f for name, f in merged.items() if not (_is_ours(f) and yours & set(f.contains))}


def _is_ours(function):
    return hasattr(function, "contains")


def _functions_of_ours(module):
    return {f.__name__: f for f in vars(module).values() if callable(f) and _is_ours(f)}
