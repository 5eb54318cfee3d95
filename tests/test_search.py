"""Semantic search over a folder: passages, the kept index, the command."""
import io

import pytest
import torch

from minigpt import pretrained, search
from minigpt.__main__ import main
from minigpt.config import preset
from minigpt.errors import InputError
from minigpt.tokenizer import WordPieceTokenizer
from minigpt.transformer import Transformer

TEXT = "Apples are red.\nThey grow on trees.\n\nThe moon is far.\n"
WORDS = "apples are red they grow on trees the moon is far fish swim in water"


@pytest.fixture
def encoder(monkeypatch, tmp_path):
    """A small encoder with weights of chance, in the place of the published one; it counts the texts it reads."""
    tokenizer = WordPieceTokenizer.train([WORDS] * 3, 80)
    model = Transformer(preset("bert-nano", vocab_size=tokenizer.vocab_size, n_layer=1), generator=torch.manual_seed(0))
    read = []
    encode = tokenizer.encode
    tokenizer.encode = lambda text: read.append(text) or encode(text)
    monkeypatch.setattr(pretrained, "load", lambda name, device: (model.eval(), tokenizer))
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    return read


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "docs"
    (place / "more").mkdir(parents=True)
    (place / "fruit.txt").write_text("\n".join([TEXT] * 40), encoding="utf-8")
    (place / "more" / "fish.md").write_text("Fish swim in water.\n", encoding="utf-8")
    (place / "picture.png").write_bytes(b"\x89PNG\0\0")
    return place


def test_a_passage_knows_its_first_line():
    passages = search.passages_of("f", "\n\none two\nthree\n\n\nfour five six\n", words=4)
    assert [(p.line, p.text) for p in passages] == [(3, "one two\nthree"), (7, "four five six")]


def test_short_paragraphs_share_a_passage_and_long_ones_are_cut_at_lines():
    assert len(search.passages_of("f", "a b\n\nc d\n\ne f\n", words=120)) == 1
    cut = search.passages_of("f", "\n".join(["word " * 5] * 10), words=12)
    assert [p.line for p in cut] == [1, 3, 5, 7, 9]


def test_every_word_of_a_text_is_in_one_passage():
    text = "\n".join(" ".join(f"w{i}.{j}" for j in range(i % 17)) for i in range(100))
    assert " ".join(p.text for p in search.passages_of("f", text, words=20)).split() == text.split()


@pytest.mark.parametrize("text", ["", "\n \n\t\n"])
def test_a_text_without_words_has_no_passages(text):
    assert search.passages_of("f", text) == []


def test_a_question_finds_the_passage_that_says_the_same(encoder, folder, capsys):
    assert main(["search", "--folder", str(folder), "--top", "1", "Fish swim in water."]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"1.00  {folder}/more/fish.md:1\n      Fish swim in water.\n")
    assert "2 files; 1 files are no text" in err


def test_what_was_read_once_is_not_read_again_but_what_changed_is(encoder, folder):
    main(["search", "--folder", str(folder), "red"])
    assert len(encoder) > 2
    encoder.clear()
    main(["search", "--folder", str(folder), "red"])
    assert encoder == ["red"]
    (folder / "more" / "fish.md").write_text("Fish grow.\n", encoding="utf-8")
    encoder.clear()
    main(["search", "--folder", str(folder), "red"])
    assert encoder == ["Fish grow.", "red"]


def test_a_damaged_index_is_made_again(encoder, folder, tmp_path):
    main(["search", "--folder", str(folder), "red"])
    [index] = (tmp_path / "cache" / "search").iterdir()
    index.write_bytes(index.read_bytes()[:100])
    encoder.clear()
    assert main(["search", "--folder", str(folder), "red"]) == 0
    assert len(encoder) > 2


def test_an_index_that_cannot_be_kept_does_not_stop_the_search(encoder, folder, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert main(["search", "--folder", str(folder), "red"]) == 0
    assert "fruit.txt" in capsys.readouterr().out


def test_without_a_question_it_asks_until_an_empty_line(encoder, folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("red\nmoon\n\nnever\n"))
    assert main(["search", "--folder", str(folder), "--top", "1"]) == 0
    assert capsys.readouterr().out.count(f"{folder}/") == 2


def test_one_file_is_searched_as_well(encoder, folder, capsys):
    assert main(["search", "--folder", str(folder / "fruit.txt"), "--top", "99", "red"]) == 0
    assert "fish" not in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "says"), [
    (["--folder", "nowhere", "x"], "no file or folder 'nowhere'"), (["--top", "0", "x"], "--top 0 must be at least 1"),
    ([" "], "the question is empty")])
def test_bad_input_is_one_line(encoder, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert main(["search", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_a_folder_without_text_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"\0")
    with pytest.raises(InputError, match="holds no text"):
        search.read_passages(tmp_path)
