"""GGUF, the file format of GGML: what is known about a model, then its tensors, mostly in 4 or 8 bits a weight.

Everything in such a file is a length, followed by that much. A stranger's file may lie about lengths, so none is
believed before what it promises has been compared with what is left.
"""
import math
import struct
from collections import namedtuple

import torch

from minigpt.errors import InputError
from minigpt.ggml_blocks import BYTES, SIZE, dequantise_q4_0, dequantise_q4_1, dequantise_q8_0

MAGIC, VERSIONS = b"GGUF", (2, 3)
NUMBERS = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))          # struct's letter of a value's type
STRING, ARRAY = 8, 9
LONGEST_ARRAY = 2**20                                  # elements; a vocabulary has some 100,000
FLOATS = {"F32": torch.float32, "F16": torch.float16}
BLOCKS = {"Q4_0": dequantise_q4_0, "Q4_1": dequantise_q4_1, "Q8_0": dequantise_q8_0}
KINDS = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
         12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
         20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
         29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4"}

StoredTensor = namedtuple("StoredTensor", "kind shape data")   # data: (bytes,) uint8, a view of the file


class GgufFile:
    """What a GGUF file holds. `metadata`: {name: number, text or list}; `tensors`: {name: StoredTensor}.

    data: a bytearray, or a file mapped into memory; no tensor is copied or computed before it is asked for.
    name: what to call the file in a message.
    Raises InputError if it is no such file, is damaged or cut off, or holds a tensor of a type that we do not read.
    """

    def __init__(self, data, name):
        cursor = _Cursor(data, name)
        if cursor.take(4) != MAGIC:
            raise InputError(f"{name} is no GGUF file: it does not begin with {MAGIC.decode()}")
        version, n_tensors, n_fields = cursor.numbers("IQQ")
        if version not in VERSIONS:
            raise InputError(f"{name} is GGUF of version {version}; we read {' and '.join(map(str, VERSIONS))}")
        self.metadata = dict(_field(cursor) for _ in cursor.counted(n_fields, at_least=13))
        infos = dict(_info(cursor) for _ in cursor.counted(n_tensors, at_least=25))
        alignment = self.metadata.get("general.alignment", 32)
        if not (isinstance(alignment, int) and 0 < alignment <= 2**16):
            raise InputError(f"{name}: general.alignment={alignment!r} makes no sense; it is 32 almost everywhere")
        start = -(-cursor.at // alignment) * alignment
        self.tensors = {key: _stored(data, name, start, key, *info) for key, info in infos.items()}

    def tensor(self, name):
        """One tensor as numbers: float32, of its shape."""
        kind, shape, data = self.tensors[name]
        if kind in FLOATS:
            return data.view(FLOATS[kind]).to(torch.float32).reshape(shape)
        return BLOCKS[kind](data.reshape(*shape[:-1], -1))


def read_gguf(path):
    """The GgufFile at a path. Raises InputError if it cannot be read, or is none."""
    if not path.is_file():
        raise InputError(f"{path} is no file, and no folder with weights either")
    try:
        data = bytearray(path.stat().st_size)
        with open(path, "rb") as file:
            del data[file.readinto(data):]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return GgufFile(data, str(path))


def _stored(data, file, start, name, shape, kind, offset):
    kind = KINDS.get(kind, f"number {kind}")
    if kind not in BLOCKS and kind not in FLOATS:
        raise InputError(f"{file}: {name} is of type {kind}; we read {', '.join([*FLOATS, *BLOCKS])}")
    if not shape or (kind in BLOCKS and shape[-1] % SIZE):
        raise InputError(f"{file} is damaged: {name} of type {kind} has the shape {shape}")
    n = math.prod(shape)
    n_bytes = n // SIZE * BYTES[kind] if kind in BLOCKS else n * FLOATS[kind].itemsize
    if start + offset + n_bytes > len(data):
        raise InputError(f"{file} is cut off: {name} ends at byte {start + offset + n_bytes:,} of {len(data):,}; "
                         "fetch it again")
    if not n_bytes:
        raise InputError(f"{file} is damaged: {name} has the shape {shape}, which is empty")
    return StoredTensor(kind, shape, torch.frombuffer(data, dtype=torch.uint8, count=n_bytes, offset=start + offset))


def _field(cursor):
    key = cursor.text()
    kind, = cursor.numbers("I")
    return key, _value(cursor, kind)


def _info(cursor):
    """(name, (shape, kind, offset)) of a tensor. The file lists the sizes of a shape from the last to the first."""
    name = cursor.text()
    n_dims, = cursor.numbers("I")
    sizes = cursor.numbers("Q" * n_dims) if n_dims <= 4 else cursor.fail(f"{name} with {n_dims} dimensions")
    kind, offset = cursor.numbers("IQ")
    return name, (tuple(reversed(sizes)), kind, offset)


def _value(cursor, kind):
    if kind == STRING:
        return cursor.text()
    if kind != ARRAY:
        return cursor.numbers(cursor.letter(kind))[0]
    inner, n = cursor.numbers("IQ")
    if n > LONGEST_ARRAY:
        cursor.fail(f"a list of {n:,} values")
    if inner == STRING:
        return [cursor.text() for _ in cursor.counted(n, at_least=8)]
    return list(cursor.numbers(cursor.letter(inner) * n))


class _Cursor:
    """A place in the file, that moves on with everything that is read, and never past the end."""

    def __init__(self, data, name):
        self.data, self.name, self.at, self.end = data, name, 0, len(data)

    def take(self, n):
        if n > self.end - self.at:
            self.fail(f"{n:,} bytes from byte {self.at:,} on, of {self.end:,}")
        self.at += n
        return self.data[self.at - n:self.at]

    def numbers(self, letters):
        return struct.unpack(f"<{letters}", self.take(struct.calcsize(f"<{letters}")))

    def text(self):
        try:
            return str(self.take(int.from_bytes(self.take(8), "little")), "utf-8")
        except UnicodeDecodeError:
            return self.fail("a text that is not UTF-8")

    def counted(self, n, at_least):
        """range(n), if n things of at least so many bytes can still be there."""
        return range(n) if n * at_least <= self.end - self.at else self.fail(f"{n:,} entries")

    def letter(self, kind):
        """struct's letter for a number of that type."""
        return NUMBERS[kind] if kind in NUMBERS else self.fail(f"a value of type {kind}")

    def fail(self, what):
        raise InputError(f"{self.name} is damaged or cut off: it promises {what}; fetch it again")
