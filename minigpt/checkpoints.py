"""Several files that belong together, written so that a process may die at any moment and never mix two versions.

The files are written in full into the folder `checkpoint.part`; renaming that to `checkpoint.done` is the moment
at which the new version exists; then its files move to their places, and `checkpoint.done` goes. Whoever opens
the folder for writing finishes moving first; whoever reads looks into `checkpoint.done` first.
"""
import contextlib
import hashlib
import json
import os
import shutil

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from minigpt.errors import InputError

PART, DONE = "checkpoint.part", "checkpoint.done"
WAY_OUT = "restore the folder from a copy, or begin again with --overwrite"


def commit(folder, files):
    """Write files, {name: bytes}, into a folder: all of them or none. Raises OSError if they cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    finish_moving(folder)
    part = folder / PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        for name, data in files.items():
            write_durably(part / name, data)
        _sync(part)
        os.replace(part, folder / DONE)                # from here on they exist
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)        # give the space back
        raise
    _sync(folder)
    finish_moving(folder)


def finish_moving(folder):
    """Move files that were committed to their places, if the process that committed them could not."""
    done = folder / DONE
    if done.is_dir():
        for path in sorted(done.iterdir()):
            os.replace(path, folder / path.name)
        _sync(folder)
        done.rmdir()


def read(folder, name, way_out=WAY_OUT):
    """The bytes of a committed file, moved to its place already or not. Raises InputError if there is none."""
    for path in (folder / DONE / name, folder / name):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return path.read_bytes()
    what = f"there is no {name} in it" if folder.is_dir() else "there is no such folder"
    raise InputError(f"{folder} holds no run: {what}; {way_out}")


def pack(tensors, marks):
    """Tensors, {name: tensor}, as the bytes of a safetensors file with marks, {name: str}, and their own hash."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(tensors, marks | {"sha256": hash_of(tensors)})


def unpack(data, path):
    """(tensors, marks) from the bytes that `pack` made; path: where they were, for the message.

    Raises InputError if they are not what `pack` made, bit for bit.
    """
    try:
        tensors = load(data)
        marks = json.loads(data[8:8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or cut off ({error}); {WAY_OUT}") from error
    if marks.get("sha256") != hash_of(tensors):
        raise InputError(f"{path} was changed after it was written, or we did not write it; {WAY_OUT}")
    return tensors, marks


def write_durably(path, data):
    """Write bytes and wait until the disk has them. Raises OSError."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def hash_of(tensors):
    """The SHA-256 of tensors, {name: tensor}: names, types, shapes and numbers."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.flatten().view(torch.uint8).numpy())
    return sha256.hexdigest()


def _sync(folder):
    """Make renames in a folder outlast a power cut. Windows cannot open a folder for that."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
