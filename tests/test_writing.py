"""What a model writes, piece by piece, and the command that lets it."""
import dataclasses
import itertools

import pytest
import torch
from tiny import LETTERS, make_run, new_model

from minigpt.__main__ import main
from minigpt.kv_cache import KVCache
from minigpt.runs import load_run
from minigpt.swap import is_fused, use
from minigpt.tokenizer import BPETokenizer, CharTokenizer
from minigpt.transformer import Transformer
from minigpt.writing import Speller, pieces, write


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return str(make_run(tmp_path_factory.mktemp("run")))


def test_generating_prints_the_prompt_and_what_follows(finished, capsys):
    assert main(["generate", "--model", finished, "--prompt", "men", "--max-new-tokens", "20", "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("men")
    assert len("men\n") < len(out) <= len("men\n") + 20    # less, if the model ends its text


def test_generating_ends_before_the_first_of_several_texts(finished, capsys):
    ask = ["generate", "--model", finished, "--seed", "0", "--max-new-tokens", "9", "--temperature", "0"]
    main(ask)
    text = capsys.readouterr().out[:-1]
    main([*ask, "--stop", "never", "--stop", text[2]])
    assert capsys.readouterr().out == text[:text.index(text[2])] + "\n"


def test_generating_with_a_penalty_writes_otherwise_and_one_of_zero_is_refused(finished, capsys):
    ask = ["generate", "--model", finished, "--seed", "0", "--max-new-tokens", "20", "--temperature", "0"]
    main(ask)
    plain = capsys.readouterr().out
    main([*ask, "--repetition-penalty", "50"])
    assert capsys.readouterr().out != plain
    assert main([*ask, "--repetition-penalty", "0"]) == 2
    assert "repetition_penalty=0.0 must be greater than 0" in capsys.readouterr().err


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


def spelled(tokenizer, ids, monkeypatch, **options):
    """The Pieces of a model that chooses these ids."""
    tokens = itertools.chain(((i, torch.zeros(tokenizer.vocab_size)) for i in ids), itertools.repeat((0, None)))
    monkeypatch.setattr("minigpt.writing.next_tokens", lambda *args, **options: tokens)
    return list(pieces(new_model(), tokenizer, [1], **{"max_new_tokens": len(ids)} | options))


def text_of(found):
    return "".join(piece.text for piece in found)


def test_a_model_that_reads_both_ways_writes_too_and_reads_all_again_for_every_token():
    config = dataclasses.replace(new_model().config, causal=False)
    model, tokenizer = Transformer(config, generator=torch.Generator().manual_seed(0)).eval(), CharTokenizer([*LETTERS])
    ids = tokenizer.encode("abc")
    for piece in itertools.islice(pieces(model, tokenizer, "abc", temperature=0, stop_ids=()), 4):
        with torch.no_grad():
            expected = int(model(torch.tensor([ids]))[0, -1].argmax())
        assert [token.id for token in piece.tokens] == [expected]
        ids.append(expected)


def test_writing_gives_a_piece_for_each_token(monkeypatch):
    tokenizer = CharTokenizer.train(["went"])
    found = spelled(tokenizer, tokenizer.encode("went"), monkeypatch)
    assert [piece.text for piece in found] == ["w", "e", "n", "t", ""]
    assert [piece.finish_reason for piece in found] == [None] * 4 + ["length"]


def test_a_text_ends_where_the_model_ends_it(finished):
    model, tokenizer, _ = load_run(finished)
    model.position_embedding.weight.data.zero_()
    model.token_embedding.weight.data.zero_()[tokenizer.special_ids["<|endoftext|>"]] = 1.0
    model.final_norm.weight.data.zero_()
    model.final_norm.bias.data.fill_(1.0)              # the end of the text is now the likeliest token by far
    assert list(write(model, tokenizer, "men", temperature=0)) == []


def test_streaming_never_shows_half_a_character(monkeypatch):
    tokenizer = BPETokenizer.train(["a"], 257)
    found = spelled(tokenizer, tokenizer.encode("é, 中 and 🙂"), monkeypatch)
    assert text_of(found) == "é, 中 and 🙂"
    assert not any("\ufffd" in piece.text for piece in found)
    assert max(len(piece.text) for piece in found) == 1


def test_tokens_of_a_character_come_with_the_character(monkeypatch):
    tokenizer = BPETokenizer.train(["a"], 257)
    found = spelled(tokenizer, tokenizer.encode("a中a"), monkeypatch)
    assert [(piece.text, len(piece.tokens)) for piece in found] == [
        ("a", 1), ("", 0), ("", 0), ("中", 3), ("a", 1), ("", 0)]


def test_a_text_that_ends_within_a_character_says_so_at_its_end(monkeypatch):
    tokenizer = BPETokenizer.train(["a"], 257)
    found = spelled(tokenizer, tokenizer.encode("a中")[:-1], monkeypatch)
    assert text_of(found) == "a\ufffd"
    assert sum(len(piece.tokens) for piece in found) == 3
    speller = Speller(tokenizer)
    assert [speller.spell(i) for i in tokenizer.encode("中")[:2]] + [speller.rest()] == ["", "", "\ufffd"]


@pytest.mark.parametrize(("text", "stop", "shown"), [
    ("one. two", ". ", "one"),
    ("one.two", ". ", "one.two"),
    ("one.", ". ", "one."),
    (".... x", ". ", "..."),
    ("one, two. three", [". ", ", "], "one"),
    ("one, two. three", [", two. ", "two"], "one, "),         # the one that is complete first
    ("one, two. three", [", two", "two"], "one"),             # of two that are complete at once, the longer
    ("one, two", [], "one, two"),
    ("one, two", ["", "w"], "one, t"),
    ("abcabd", ["abd"], "abc"),
])
@pytest.mark.parametrize("merges", [257, 270])
def test_a_stop_text_is_never_shown_not_even_in_part(monkeypatch, text, stop, shown, merges):
    tokenizer = BPETokenizer.train(["one. two. three, two. " * 9], merges)     # also with tokens of several characters
    ids = tokenizer.encode(text)
    found = spelled(tokenizer, ids, monkeypatch, stop=stop)
    assert text_of(found) == shown
    assert found[-1].finish_reason == ("length" if shown == text else "stop")
    kept = [token.id for piece in found for token in piece.tokens]
    assert ids[:len(kept)] == kept
    assert len(tokenizer.decode(kept)) >= len(shown) > len(tokenizer.decode(kept[:-1]))


def test_what_comes_before_a_stop_text_is_shown_as_soon_as_it_is_certain(monkeypatch):
    tokenizer = CharTokenizer.train(["abcd-"])
    found = spelled(tokenizer, tokenizer.encode("ab-c--d"), monkeypatch, stop="--")
    assert [piece.text for piece in found] == ["a", "b", "", "-c", "", ""]
    assert [[token.id for token in piece.tokens] for piece in found] == [
        tokenizer.encode(text) for text in ("a", "b", "", "-c", "", "")]


def test_a_token_that_ends_the_text_is_not_shown_and_not_counted(monkeypatch):
    tokenizer = CharTokenizer.train(["ab"])
    end, b = tokenizer.special_ids["<|endoftext|>"], tokenizer.encode("b")[0]
    for ends, shown in ((None, "a"), ((b,), "a")):
        found = spelled(tokenizer, [*tokenizer.encode("a"), end if ends is None else b, b], monkeypatch, stop_ids=ends)
        assert (text_of(found), found[-1].finish_reason) == (shown, "stop")
        assert sum(len(piece.tokens) for piece in found) == 1


def test_logprobs_are_what_the_model_believes():
    model, tokenizer = new_model().eval(), CharTokenizer.train([LETTERS])
    found = list(pieces(model, tokenizer, "ab", max_new_tokens=5, temperature=0, alternatives=3, stop_ids=()))
    tokens = [token for piece in found for token in piece.tokens]
    ids = [*tokenizer.encode("ab"), *(token.id for token in tokens)]
    nats = torch.log_softmax(model(torch.tensor([ids])), dim=-1)[0, 1:-1]
    for token, row in zip(tokens, nats, strict=True):
        assert token.logprob == pytest.approx(row[token.id].item(), abs=1e-5)
        assert token.top[0] == (token.id, token.logprob)
        assert [value for _, value in token.top] == pytest.approx(row.topk(3).values.tolist(), abs=1e-5)


def test_a_temperature_does_not_change_the_logprobs():
    model, tokenizer = new_model().eval(), CharTokenizer.train([LETTERS])
    cold, warm = (next(pieces(model, tokenizer, "ab", seed=3, temperature=t, alternatives=12, stop_ids=()))
                  for t in (0, 2.0))
    assert dict(cold.tokens[0].top) == dict(warm.tokens[0].top)


def test_without_alternatives_a_token_has_its_own_logprob_alone_or_none():
    model, tokenizer = new_model().eval(), CharTokenizer.train([LETTERS])
    own, none = (next(pieces(model, tokenizer, "ab", temperature=0, alternatives=k)).tokens[0] for k in (0, None))
    assert own.logprob < 0
    assert (own.top, none.logprob, none.top) == ([], None, [])


def test_more_alternatives_than_tokens_are_all_tokens():
    model, tokenizer = new_model().eval(), CharTokenizer.train([LETTERS])
    token = next(pieces(model, tokenizer, "ab", alternatives=99, seed=0)).tokens[0]
    assert sum(torch.tensor([nats for _, nats in token.top]).exp()) == pytest.approx(1, abs=1e-6)


def test_a_prompt_of_ids_is_the_prompt_of_its_text(finished):
    model, tokenizer, _ = load_run(finished)
    ids = tokenizer.encode("men")
    assert list(write(model, tokenizer, "men", seed=2)) == list(write(model, tokenizer, ids, seed=2))


def test_of_several_texts_the_prompt_is_read_once(finished):
    model, tokenizer, _ = load_run(finished)
    cache, read = KVCache(model.config), []
    hook = model.token_embedding.register_forward_hook(lambda module, ids, x: read.append(ids[0].numel()))
    texts = ["".join(write(model, tokenizer, "men we", seed=seed, max_new_tokens=2, cache=cache)) for seed in (5, 6)]
    hook.remove()
    assert read == [6, 1, 1, 1]
    assert texts == ["".join(write(model, tokenizer, "men we", seed=seed, max_new_tokens=2)) for seed in (5, 6)]


def test_a_text_that_grows_beyond_the_context_goes_on_in_a_window(finished):
    model, tokenizer, _ = load_run(finished)                  # a context of 8
    found = list(pieces(model, tokenizer, "men", max_new_tokens=40, stop_ids=()))
    assert sum(len(piece.tokens) for piece in found) == 40


def test_a_writer_that_is_left_early_leaves_nothing_behind(finished):
    model, tokenizer, _ = load_run(finished)
    with use(gelu_tanh=torch.nn.functional.gelu):
        writer = write(model, tokenizer, "men", seed=0)
        next(writer)
        assert not is_fused("attention")                      # between two pieces all is as it was
        writer.close()
    assert torch.is_grad_enabled()


def test_your_function_stands_in_while_a_model_writes(finished):
    model, tokenizer, _ = load_run(finished)
    calls = []

    def sample(p, u):
        calls.append(1)
        return p.argmax(-1)

    with use(sample=sample):
        list(write(model, tokenizer, "men", max_new_tokens=3, stop_ids=()))
    assert len(calls) == 3


@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 1.2}, {"stop": "ow"}], ids=str)
def test_a_greedy_text_is_the_same_with_guesses_ahead(finished, options):
    model, tokenizer, _ = load_run(finished)
    options |= {"temperature": 0, "max_new_tokens": 30}
    plain, guessed = (text_of(pieces(model, tokenizer, "to mow", speculate=n, **options)) for n in (0, 4))
    assert plain == guessed


def test_the_command_guesses_ahead_and_refuses_what_is_not_a_number_of_guesses(finished, capsys):
    texts = []
    for n in ("0", "3"):
        assert main(["generate", "--model", finished, "--prompt", "to", "--temperature", "0", "--speculate", n]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert main(["generate", "--model", finished, "--speculate", "-1"]) == 2
    assert "--speculate -1 must lie between 0 and 64" in capsys.readouterr().err
