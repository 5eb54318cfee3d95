"""The file of a contract as arrays: values as JSON, and each array once. Nothing in it is code, or can name code."""
import functools
import hashlib
import json

import numpy as np

from minigpt.config import TransformerConfig
from minigpt.grading.frames import Reader, Writer, as_it_was

CONFIG = {TransformerConfig: lambda config: ("config", dict(vars(config)))}


class Unstorable(ValueError):
    """A value that no array, number or text can stand for, such as a function."""


class ArraysWriter(Writer):
    """Values as JSON, whose arrays are kept aside: {digest: array}, each once, however often it occurs."""

    def __init__(self):
        super().__init__(CONFIG)
        self.by_digest = {}

    def _array(self, x):
        code, shape, axes, repeats, read_only = super()._array(x)
        data = self.arrays.pop()
        once = [1 if axis in repeats else n for axis, n in enumerate(shape)]
        digest = hashlib.sha256(f"{code} {once} {axes}".encode() + data).hexdigest()[:16]
        self.by_digest[digest] = np.frombuffer(data, code).reshape([once[axis] for axis in axes])
        return [digest, shape, axes, repeats, read_only]

    def tree(self, value):
        tree = super().tree(value)
        if isinstance(tree, dict) and "unknown" in tree:
            raise Unstorable(f"a {tree['unknown']} cannot be stored")
        return tree


class ArraysReader(Reader):
    """The values again, with the strides that they had; each time new arrays, which may be written into."""

    def __init__(self, arrays):
        super().__init__({"config": lambda fields: TransformerConfig(**fields)})
        self.arrays = arrays

    def _array(self, content, depth):
        digest, shape, axes, repeats, read_only = content
        x = self.arrays[digest].copy().transpose(np.argsort(axes))
        return as_it_was(x, shape, repeats, read_only)


def save(path, cases):
    """Write cases, {name of a test with its parameters: [call]}, a call as `recording` makes it."""
    writer = ArraysWriter()
    text = json.dumps(writer.tree(cases), separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, calls=np.array(text), **dict(sorted(writer.by_digest.items())))


@functools.cache
def _file(path):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "calls"}
        return json.loads(str(file["calls"])), arrays


def load(path):
    """The cases of a file, with arrays of their own."""
    tree, arrays = _file(path)
    return ArraysReader(arrays).value(tree)


def arrays_in(value):
    """The arrays in a value, in lists and in dicts."""
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [array for part in parts for array in arrays_in(part)]
