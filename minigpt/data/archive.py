"""Reads named files out of a source archive in memory: nothing is unpacked to disk, nothing is executed."""
import io
import stat
import tarfile
import zipfile
import zlib
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial

from minigpt.data.sources import Source
from minigpt.errors import InputError

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


def read_members(archive: bytes, source: Source) -> dict[str, bytes]:
    """The files of the archive that match source.members, by name, in order of their names.

    With source.inner the one match is an archive itself, and these are its files that match that.
    Raises InputError when a match is a link or another special file, is there twice, or brings the sum above
    source.member_bytes; when nothing matches; when the archive is damaged.
    """
    walk = _walk_zip if source.filename.endswith((".whl", ".zip")) else _walk_tar
    found: dict[str, bytes] = {}
    room = source.member_bytes
    try:
        for name, regular, read in walk(io.BytesIO(archive), source.members):
            if not regular or name in found:
                raise InputError(f"{source.filename}: {name!r} is a link or is there twice; not used")
            found[name] = read(room + 1)
            room -= len(found[name])
            if room < 0:
                raise InputError(f"{source.filename}: with {name!r} it holds more than the "
                                 f"{source.member_bytes:,} bytes of {source.name}; not used")
    except _DAMAGE as error:
        raise InputError(f"{source.filename} cannot be read as an archive ({error}); not used") from error
    if not found:
        raise InputError(f"{source.filename} holds no {source.members}; it is not the archive we know")
    if source.inner:
        ((name, inner),) = found.items()
        return read_members(inner, replace(source, filename=name.rpartition("/")[2], members=source.inner, inner=""))
    return dict(sorted(found.items()))


def matches(name: str, pattern: str) -> bool:
    """Whether a member's name fits the glob folder by folder; a name with tricks (.., /x, \\) fits none."""
    parts, patterns = name.split("/"), pattern.split("/")
    if len(parts) != len(patterns) or "\\" in name or any(part in ("", ".", "..") for part in parts):
        return False
    return all(map(fnmatchcase, parts, patterns))


def _walk_tar(file, pattern):
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            if matches(member.name, pattern):
                yield member.name, member.isreg(), partial(_read, tar.extractfile, member)


def _walk_zip(file, pattern):
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if matches(member.filename, pattern):
                mode = member.external_attr >> 16
                regular = stat.S_IFMT(mode) in (0, stat.S_IFREG)   # 0: made on a system without such modes
                yield member.filename, regular, partial(_read, archive.open, member)


def _read(open_member, member, size):
    with open_member(member) as file:
        return file.read(size)
