"""Fetching from a package index on this machine: verified, kept, and never stuck."""
import errno
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from test_data_archive import FILES, source, tar

from minigpt.data import fetch as fetching
from minigpt.data.fetch import Unavailable, cached_archive, fetch
from minigpt.data.sources import SOURCES
from minigpt.errors import InputError

ARCHIVE = tar(FILES)
TINY = replace(source(), sha256=hashlib.sha256(ARCHIVE).hexdigest(), archive_bytes=len(ARCHIVE))
TEXTS = {"tiny-1.0/texts/a.txt": b"first", "tiny-1.0/texts/b.txt": b"second"}
PAGE, FILE = "/simple/tiny/", f"/files/{TINY.filename}"


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives for each path what server.answers holds: status, content type, body, and the length it claims."""

    def do_GET(self):
        self.server.asked.append(self.path)
        status, kind, body, length = self.server.answers.get(self.path, (404, "text/plain", b"", 0))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body[:10])
        if body and self.path == FILE and self.server.meeting:
            self.server.meeting.wait(60)
            time.sleep(0.2)                            # now both clients are in the middle of the file
        self.wfile.write(body[10:])

    def log_message(self, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and an environment in which pip has no settings of its own."""
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("PIP_INDEX_URL", "PIP_CERT", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def index(cache, monkeypatch):
    """A package index with one archive, and pip set to it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked, server.answers, server.meeting = [], {}, None
    answer(server, PAGE, f'<a href="{FILE}">{TINY.filename}</a>'.encode(), kind="text/html")
    answer(server, FILE, ARCHIVE)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/simple/"
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setattr(fetching, "pip_settings", lambda: {"index-url": url})   # asking pip itself is slow
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def answer(server, path, body, *, status=200, kind="application/octet-stream", length=None):
    server.answers[path] = (status, kind, body, len(body) if length is None else length)


def kept(cache):
    return sorted(path.name for path in cache.glob("*"))


def test_the_named_files_come_from_the_index(index):
    assert fetch(TINY) == TEXTS
    assert index.asked == [PAGE, FILE]


def test_the_second_fetch_asks_nobody(index, cache):
    fetch(TINY)
    assert fetch(TINY) == TEXTS
    assert index.asked == [PAGE, FILE]
    assert kept(cache) == [TINY.filename]


def test_a_wrong_hash_is_refused_with_both_hashes_and_nothing_is_kept(index, cache):
    other = tar([("tiny-1.0/texts/a.txt", b"forged")])[:len(ARCHIVE)]
    answer(index, FILE, other)
    got = hashlib.sha256(other).hexdigest()
    with pytest.raises(InputError, match=f"sha256 {got}, expected {TINY.sha256}") as caught:
        fetch(TINY)
    assert not isinstance(caught.value, Unavailable)   # no reason to fall back quietly
    assert kept(cache) == []


def test_a_download_that_breaks_off_says_so_and_nothing_is_kept(index, cache):
    answer(index, FILE, ARCHIVE[:50], length=len(ARCHIVE))
    with pytest.raises(InputError, match="broke off; run it again"):
        fetch(TINY)
    assert kept(cache) == []


def test_a_download_longer_than_the_pinned_file_is_stopped(index, cache):
    answer(index, FILE, ARCHIVE + b"\0" * 100_000)
    with pytest.raises(InputError, match=f"not the pinned file: more than {len(ARCHIVE):,} bytes"):
        fetch(TINY)
    assert kept(cache) == []


def test_after_a_bad_download_a_good_one_works(index):
    answer(index, FILE, b"junk")
    with pytest.raises(InputError):
        fetch(TINY)
    answer(index, FILE, ARCHIVE)
    assert fetch(TINY) == TEXTS


@pytest.mark.parametrize("damaged", [b"", ARCHIVE[:-1], ARCHIVE + b"x", tar([("tiny-1.0/texts/a.txt", b"forged")])])
def test_a_damaged_cached_archive_is_noticed_and_fetched_again(index, cache, damaged):
    cache.mkdir()
    (cache / TINY.filename).write_bytes(damaged)
    assert fetch(TINY) == TEXTS
    assert (cache / TINY.filename).read_bytes() == ARCHIVE


def test_a_damaged_cached_archive_is_not_used_when_the_index_is_gone(index, cache):
    cache.mkdir()
    (cache / TINY.filename).write_bytes(b"junk")
    index.answers.clear()
    with pytest.raises(Unavailable):
        fetch(TINY)
    assert cached_archive(TINY) is None


def test_an_archive_put_into_the_cache_by_hand_needs_no_index(index, cache):
    cache.mkdir()
    (cache / TINY.filename).write_bytes(ARCHIVE)
    assert fetch(TINY) == TEXTS
    assert index.asked == []


def test_two_processes_at_once_both_get_the_text_and_leave_one_file(index, cache):
    code = ("from test_data_fetch import TINY, TEXTS, fetch\n"
            "assert fetch(TINY) == TEXTS")
    index.meeting = threading.Barrier(2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert kept(cache) == [TINY.filename]


def test_a_full_disk_is_told_in_one_line_and_nothing_is_kept(index, cache, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fetching.os, "replace", full)
    with pytest.raises(InputError, match=r"\(No space left on device\); make room"):
        fetch(TINY)
    assert kept(cache) == []


def test_a_cache_folder_that_cannot_be_made_is_told_in_one_line(index, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="set MINIGPT_CACHE to another folder"):
        fetch(TINY)


def test_an_interrupted_download_leaves_nothing(index, cache, monkeypatch):
    def interrupt(self, n=1):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching._Bar, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(TINY)
    assert kept(cache) == []


@pytest.mark.download
@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if not source.embedded])
def test_the_pinned_archive_can_be_had(name, require_data):
    try:
        members = fetch(SOURCES[name])
    except InputError as error:
        require_data(error)
    assert sum(map(len, members.values())) > 1_000_000


def closed_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
