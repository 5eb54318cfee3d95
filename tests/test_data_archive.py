"""Reading an archive takes the named plain files and nothing else."""
import gzip
import io
import stat
import tarfile
import zipfile
from dataclasses import replace

import pytest

from minigpt.data.archive import matches, read_members
from minigpt.data.sources import Source
from minigpt.errors import InputError


def source(filename="tiny-1.0.tar.gz", members="tiny-1.0/texts/*.txt", member_bytes=1000):
    return Source("tiny", "two texts", "none", True, "text files", "tiny", "1.0", filename,
                  members=members, member_bytes=member_bytes)


def tar(files, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target, kind in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return gzip.compress(buffer.getvalue(), mtime=0)   # the same bytes in every process


def wheel(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


FILES = [("tiny-1.0/texts/b.txt", b"second"), ("tiny-1.0/texts/a.txt", b"first"), ("tiny-1.0/setup.py", b"boom")]


def test_a_tar_gives_the_named_files_in_order_of_their_names():
    assert list(read_members(tar(FILES), source()).items()) == [("tiny-1.0/texts/a.txt", b"first"),
                                                               ("tiny-1.0/texts/b.txt", b"second")]


def test_a_wheel_gives_the_named_files_too():
    assert read_members(wheel(FILES), source("tiny-1.0-py3-none-any.whl")) == read_members(tar(FILES), source())


@pytest.mark.parametrize("name", ["../texts/x.txt", "/tiny-1.0/texts/x.txt", "tiny-1.0/../x.txt", "a/b/c/x.txt",
                                  "tiny-1.0//x.txt", "tiny-1.0/./x.txt", "tiny-1.0\\texts\\x.txt"])
def test_a_name_that_climbs_out_or_starts_at_the_root_matches_no_pattern(name):
    assert not matches(name, "*/*/*.txt")
    assert not matches(name, "*")


def test_a_star_does_not_reach_into_folders():
    assert not matches("tiny/texts/deep/x.txt", "tiny/*.txt")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused(kind):
    with pytest.raises(InputError, match="is a link"):
        read_members(tar(FILES, [("tiny-1.0/texts/c.txt", "/etc/passwd", kind)]), source())


def test_a_link_in_a_wheel_is_refused():
    link = zipfile.ZipInfo("tiny-1.0/texts/c.txt")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="is a link"):
        read_members(wheel([*FILES, (link, b"/etc/passwd")]), source("tiny.whl"))


def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        read_members(tar([*FILES, ("tiny-1.0/texts/a.txt", b"other")]), source())


@pytest.mark.parametrize(("pack", "filename"), [(tar, "tiny.tar.gz"), (wheel, "tiny.whl")])
def test_files_that_are_too_large_together_are_refused(pack, filename):
    files = [(f"tiny-1.0/texts/{i}.txt", b"x" * 600) for i in range(2)]
    assert len(read_members(pack(files), source(filename, member_bytes=1200))) == 2
    with pytest.raises(InputError, match="more than the 1,199 bytes"):
        read_members(pack(files), source(filename, member_bytes=1199))


def test_an_archive_without_the_named_files_is_refused():
    with pytest.raises(InputError, match=r"holds no tiny-1\.0/other"):
        read_members(tar(FILES), source(members="tiny-1.0/other/*.txt"))


@pytest.mark.parametrize(("pack", "filename"), [(tar, "tiny.tar.gz"), (wheel, "tiny.whl")])
def test_a_damaged_archive_is_refused_in_one_line(pack, filename):
    with pytest.raises(InputError, match=f"{filename} cannot be read") as caught:
        read_members(pack(FILES)[:60], source(filename))
    assert "\n" not in str(caught.value)


def test_an_archive_in_the_archive_is_read_in_memory_within_the_same_limits():
    inner = source("outer.whl", members="deep/inner.tar.gz")
    outer = wheel([("deep/inner.tar.gz", tar(FILES)), ("deep/other.txt", b"no")])
    found = read_members(outer, replace(inner, inner="tiny-1.0/texts/*.txt"))
    assert found == {"tiny-1.0/texts/a.txt": b"first", "tiny-1.0/texts/b.txt": b"second"}
    big = wheel([("deep/inner.tar.gz", tar([("a/x.txt", b"x" * 1001)]))])
    with pytest.raises(InputError, match=r"inner\.tar\.gz: with 'a/x\.txt' it holds more than the 1,000 bytes"):
        read_members(big, replace(inner, inner="a/*.txt"))
    with pytest.raises(InputError, match=r"inner\.tar\.gz holds no b/"):
        read_members(outer, replace(inner, inner="b/*.txt"))
