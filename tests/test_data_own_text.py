"""A user's own file or folder as a corpus, and one clear line for one that cannot be used."""
import hashlib

import pytest
from test_data_splitting import PLAYS

from minigpt.data.corpus import load_text
from minigpt.errors import InputError


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_file_is_cleaned_and_split_by_position(tmp_path):
    corpus = load_text(write(tmp_path / "my.txt", "one line  \r\n" * 500))
    assert corpus.split_how == "by position"
    assert corpus.report.newlines_unified == 500
    assert {line for part in (corpus.train, corpus.validation, corpus.test)
            for text in part for line in text.split("\n")} == {"one line"}


def test_a_byte_order_mark_is_accepted_and_not_kept(tmp_path):
    text = "ä line\n" * 200
    with_mark = load_text(write(tmp_path / "a.txt", b"\xef\xbb\xbf" + text.encode()))
    assert with_mark.content_hash == load_text(write(tmp_path / "b.txt", text)).content_hash
    assert with_mark.report.control_characters_dropped == 0


def test_the_content_hash_is_that_of_the_cleaned_text(tmp_path):
    corpus = load_text(write(tmp_path / "my.txt", "a line \r\n" * 100))
    assert corpus.content_hash == hashlib.sha256(("a line\n" * 100).strip().encode()).hexdigest()


def test_a_folder_gives_its_text_files_in_order_of_names(tmp_path):
    for i, play in enumerate(PLAYS):
        write(tmp_path / f"act{i % 3}" / f"{i:02}.{['txt', 'md', 'py'][i % 3]}", play)
    corpus = load_text(tmp_path)
    assert corpus.split_how == "by document"
    assert corpus.report.kept_documents == len(PLAYS)
    assert [text.split("\n")[0] for text in corpus.train][:2] == ["play 0", "play 3"]


def test_hidden_files_and_links_are_left_out_and_other_files_are_counted(tmp_path):
    write(tmp_path / "a.txt", "a line\n" * 200)
    write(tmp_path / ".hidden" / "b.txt", "hidden\n" * 200)
    write(tmp_path / "picture.png", b"\x89PNG\r\n\x1a\n\0\0")
    write(tmp_path / "old.tex", "caf\u00e9".encode("latin-1"))
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    report = load_text(tmp_path).report
    assert (report.documents, report.files_skipped) == (1, 2)


@pytest.mark.parametrize(("data", "where"), [(b"caf\xe9 " * 100, "byte 0xe9 at offset 3"),
                                             (b"\xef\xbb\xbfcaf\xe9 " * 100, "byte 0xe9 at offset 6"),
                                             ("text".encode("utf-16"), "byte 0xff at offset 0"),
                                             (b"cut \xe2\x82", "byte 0xe2 at offset 4")])
def test_a_file_that_is_not_utf8_is_named_with_the_offset_of_the_bad_byte(tmp_path, data, where):
    with pytest.raises(InputError, match=rf"my.txt' is not UTF-8 \({where}\); save it"):
        load_text(write(tmp_path / "my.txt", data))


def test_a_txt_file_in_a_folder_must_be_utf8(tmp_path):
    write(tmp_path / "good.txt", "a line\n" * 200)
    write(tmp_path / "bad.txt", b"caf\xe9")
    with pytest.raises(InputError, match=r"bad.txt' is not UTF-8"):
        load_text(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file or folder '.*nowhere.txt'"):
        load_text(tmp_path / "nowhere.txt")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, data):
    with pytest.raises(InputError, match=r"my.txt': the file is empty"):
        load_text(write(tmp_path / "my.txt", data))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="the folder holds no text"):
        load_text(tmp_path)


def test_a_path_that_the_system_refuses_is_told_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*File name too long"):
        load_text(tmp_path / ("x" * 300))
