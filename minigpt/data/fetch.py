"""Fetches a pinned archive from the package index, once, and gives its verified bytes."""
import contextlib
import hashlib
import os
import uuid
from pathlib import Path

import platformdirs
import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError
from tqdm import tqdm

from minigpt.data.archive import read_members
from minigpt.data.index import pip_settings, without_password
from minigpt.data.sources import Source
from minigpt.errors import InputError

TIMEOUT = (3.05, 20.0)   # seconds to connect (just over one repeated TCP packet) and between two packets
AS_STORED = {"Accept-Encoding": "identity"}   # some servers call a .tar.gz compressed, and we would unpack it


class Unavailable(InputError):
    """The index could not be reached or lacks the archive: where a default was asked for, fall back."""


def cache_folder() -> Path:
    """Where archives are kept: the folder MINIGPT_CACHE, else the user's cache folder on this system."""
    chosen = os.environ.get("MINIGPT_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("minigpt", appauthor=False)


def cached_archive(source: Source) -> bytes | None:
    """The archive in the cache folder; None when it is not there or is not, byte for byte, the pinned one."""
    try:
        archive = (cache_folder() / source.filename).read_bytes()
    except OSError:
        return None
    return archive if hashlib.sha256(archive).hexdigest() == source.sha256 else None


def fetch(source: Source) -> dict[str, bytes]:
    """The named files of the source, from the cached archive, or from the package index when that is missing.

    Raises Unavailable when the index cannot be reached or lacks the archive; InputError when what came is not
    the pinned archive or cannot be kept.
    """
    archive = cached_archive(source)
    if archive is None:
        archive = download(source, cache_folder(), pip_settings())
    return read_members(archive, source)


def download(source: Source, folder: Path, settings: dict[str, str]) -> bytes:
    """Download the pinned archive into `folder`, whole and verified or not at all, and return its bytes.

    settings: what minigpt.data.index.pip_settings returns
    """
    with PyPISimple(settings["index-url"]) as client, _plain_errors(source, settings, folder):
        if "cert" in settings:
            client.s.verify = settings["cert"]
        if "proxy" in settings:
            client.s.proxies = {"http": settings["proxy"], "https": settings["proxy"]}
        package = _find(client, source)
        with _partial_file(folder, source.filename) as partial:
            client.download_package(package, partial, verify=False, timeout=TIMEOUT, headers=AS_STORED,
                                    progress=lambda _: _Bar(source, (folder / source.filename).exists()))
            archive = partial.read_bytes()
            _verify(archive, source)
            with contextlib.suppress(PermissionError):   # Windows: another process reads the same bytes there
                os.replace(partial, folder / source.filename)
    return archive


def _find(client, source):
    try:
        packages = client.get_project_page(source.package, timeout=TIMEOUT).packages
    except requests.RequestException:
        raise
    except (ValueError, UnsupportedRepoVersionError):   # an answer, but not that of an index
        packages = ()
    for package in packages:
        if package.filename == source.filename:
            return package
    raise NoSuchProjectError(source.filename, client.endpoint)


@contextlib.contextmanager
def _partial_file(folder, filename):
    """A name of our own beside the target, so that two processes never write into the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{filename}.{uuid.uuid4().hex}.part"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _verify(archive, source):
    got = hashlib.sha256(archive).hexdigest()
    if got != source.sha256:
        raise InputError(f"{source.filename} is not the pinned file: sha256 {got}, expected {source.sha256}; "
                         "deleted unopened: try again, or another index (PIP_INDEX_URL)")


class _Bar(tqdm):
    """A progress bar that stops a download longer than the pinned archive."""

    def __init__(self, source, again):
        self.source = source
        note = " (again: the cached copy is damaged)" if again else ""
        super().__init__(desc=source.filename + note, total=source.archive_bytes, unit="B", unit_scale=True,
                         disable=None)
        self.received = 0

    def update(self, n=1):
        self.received += n
        if self.received > self.source.archive_bytes:
            raise InputError(f"{self.source.filename} is not the pinned file: more than "
                             f"{self.source.archive_bytes:,} bytes; deleted unopened: try another index "
                             "(PIP_INDEX_URL)")
        return super().update(n)


@contextlib.contextmanager
def _plain_errors(source, settings, folder):
    """Turns what can go wrong on the way into one line: what, where, and the way out."""
    index = without_password(settings["index-url"])
    way_out = f"set PIP_INDEX_URL, or put {source.filename} into {folder} yourself"
    if source.reader:                                  # a text, for which there is another
        way_out = f"{way_out.replace(', or', ',')}, or use what every Python has: {source.instead}"
    try:
        yield
    except InputError:
        raise
    except NoSuchProjectError as error:
        raise Unavailable(f"the package index {index} has no {source.filename}; {way_out}") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise InputError(f"the download of {source.filename} from {index} broke off; run it again") from error
    except requests.RequestException as error:
        raise Unavailable(f"cannot reach the package index {index} ({_reason(error)}); {way_out}") from error
    except OSError as error:
        raise InputError(f"cannot fetch {source.filename} into {folder} ({error.strerror or error}); "
                         "make room, set MINIGPT_CACHE to another folder, check pip's settings") from error


def _reason(error):
    reasons = {requests.Timeout: "no answer in time",
               requests.exceptions.SSLError: "its certificate was not accepted",
               requests.ConnectionError: "no connection",
               requests.HTTPError: "it refused"}
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), "not a web address")
