"""What a model writes, piece by piece, and the command that lets it."""
import pytest
from tiny import make_run

from minigpt.__main__ import main
from minigpt.runs import load_run
from minigpt.tokenizer import BPETokenizer
from minigpt.writing import before, characters, write


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return str(make_run(tmp_path_factory.mktemp("run")))


def test_generating_prints_the_prompt_and_what_follows(finished, capsys):
    assert main(["generate", "--model", finished, "--prompt", "men", "--max-new-tokens", "20", "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("men")
    assert len("men\n") < len(out) <= len("men\n") + 20    # less, if the model ends its text


def test_a_seed_makes_generating_repeatable_and_n_texts_differ(finished, capsys):
    for _ in range(2):
        main(["generate", "--model", finished, "--seed", "3", "--n", "2"])
    out = capsys.readouterr().out
    assert out[:len(out) // 2] == out[len(out) // 2:]
    first, second = out[:len(out) // 2].split("--- 2 of 2\n")
    assert first.removeprefix("--- 1 of 2\n") != second


def test_a_prompt_longer_than_the_context_is_taken_from_its_end_with_window(finished):
    model, tokenizer, _ = load_run(finished)
    windowed = "".join(write(model, tokenizer, "went to mow a meadow", seed=1, window=True))
    assert windowed == "".join(write(model, tokenizer, "a meadow", seed=1))


def test_writing_gives_a_piece_for_each_token(finished, monkeypatch):
    model, tokenizer, _ = load_run(finished)
    monkeypatch.setattr("minigpt.writing.generate", lambda model, ids, **options: iter(tokenizer.encode("went")))
    assert list(write(model, tokenizer, "men")) == ["w", "e", "n", "t"]


def test_a_text_ends_where_the_model_ends_it(finished):
    model, tokenizer, _ = load_run(finished)
    model.position_embedding.weight.data.zero_()
    model.token_embedding.weight.data.zero_()[tokenizer.special_ids["<|endoftext|>"]] = 1.0
    model.final_norm.weight.data.zero_()
    model.final_norm.bias.data.fill_(1.0)              # the end of the text is now the likeliest token by far
    assert list(write(model, tokenizer, "men", temperature=0)) == []


def test_streaming_never_shows_half_a_character():
    tokenizer = BPETokenizer.train(["a"], 257)
    pieces = list(characters(tokenizer, tokenizer.encode("é, 中 and 🙂")))
    assert "".join(pieces) == "é, 中 and 🙂"
    assert "\ufffd" not in "".join(pieces)
    assert max(map(len, pieces)) == 1


def test_a_text_that_ends_within_a_character_says_so_at_its_end():
    tokenizer = BPETokenizer.train(["a"], 257)
    assert list(characters(tokenizer, tokenizer.encode("a中")[:-1])) == ["a", "\ufffd"]


@pytest.mark.parametrize(("pieces", "shown"), [
    (["one. two"], "one"),
    (["one", ".", " ", "two"], "one"),
    (["one.", "two"], "one.two"),
    (["one", "."], "one."),
    (["..", ". ", "x"], ".."),
])
def test_a_stop_text_is_never_shown_not_even_in_part(pieces, shown):
    assert "".join(before(iter(pieces), ". ")) == shown


def test_what_comes_before_a_stop_text_is_shown_as_soon_as_it_is_certain():
    assert list(before(iter(["ab", "c", "-", "-", "d"]), "--")) == ["ab", "c"]
