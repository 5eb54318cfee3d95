"""`python -m minigpt chat`: what it prints, what it remembers, and how it ends."""
import io
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
from itertools import islice

import pytest
from served import save, tiny
from tiny import make_run, refused

from minigpt.__main__ import main
from minigpt.chat_template import chat_ids
from minigpt.runs import load_run
from minigpt.writing import pieces

ROOT = pathlib.Path(__file__).parents[1]
CHAT = ["chat", "--temperature", "0", "--max-new-tokens", "10"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tiny(context_length=400), tmp_path_factory.mktemp("chats") / "run")


@pytest.fixture
def talk(folder, capsys, monkeypatch):
    """Says lines to the model; (what it printed, what was said beside that)."""
    def say(*lines, flags=()):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
        assert main([*CHAT, "--model", folder, *flags]) == 0
        return capsys.readouterr()
    return say


def answer_to(folder, *messages, system=None, tokens=10):
    """What the model should answer to a user, assistant, user, ..."""
    model, tokenizer, _ = load_run(folder)
    roles = [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(messages)]
    ids = chat_ids(tokenizer, [{"role": "system", "content": system}] * bool(system) + roles)
    found = pieces(model, tokenizer, ids, max_new_tokens=10, temperature=0)
    return "".join(piece.text for piece in islice(found, tokens + (tokens == 10)))


def test_it_answers_each_line_in_the_light_of_those_before(talk, folder):
    first = answer_to(folder, "hello")
    second = answer_to(folder, "hello", first, "again")
    assert talk("hello", "again").out == f"{first}\n{second}\n"


def test_it_says_how_many_tokens_and_how_fast(talk, folder):
    n = len(chat_ids(load_run(folder)[1], [{"role": "user", "content": "hello"}]))
    beside = talk("hello").err
    assert re.fullmatch(r"\(10 tokens, [\d.]+ a second, the first after [\d.]+ s; "
                        rf"{n + 10} of 400 in the context; cut off by --max-new-tokens\)\n", beside)


def test_reset_forgets_and_system_says_who_it_is(talk, folder):
    found = talk("hello", "/reset", "again", "/system the sun", "/reset", "again")
    answers = answer_to(folder, "hello"), answer_to(folder, "again"), answer_to(folder, "again", system="the sun")
    assert found.out == "".join(f"{answer}\n" for answer in answers)
    assert "(everything that was said is forgotten)\n" in found.err
    assert "(system message: the sun)\n" in found.err


def test_the_system_message_may_be_a_flag(talk, folder):
    assert talk("again", flags=["--system", "the sun"]).out == answer_to(folder, "again", system="the sun") + "\n"


def test_help_and_what_is_no_command(talk):
    found = talk("/help", "/restart", "/quit", "never said")
    assert found.out == ""
    assert "/system  TEXT: who the model is to be" in found.err
    assert "(no command /restart; did you mean /reset? /help lists them)" in found.err


def test_a_text_may_have_several_lines_or_begin_with_a_slash(talk, folder):
    assert talk("two\\", "lines", "").out == answer_to(folder, "two\nlines") + "\n"
    assert talk("//etc is a folder").out == answer_to(folder, "/etc is a folder") + "\n"
    assert talk("/etc/passwd is a file").out == answer_to(folder, "/etc/passwd is a file") + "\n"
    assert talk("ends with \\").out == answer_to(folder, "ends with \n") + "\n"


@pytest.mark.slow
def test_a_long_conversation_loses_its_oldest_turns_and_says_so(talk):
    found = talk(*[f"line {k}: the moon is far and the sun is far" for k in range(8)])
    assert len(found.out.splitlines()) >= 8
    assert "(the model no longer sees the oldest question, with the answer: its context is full)" in found.err


@pytest.mark.slow
def test_a_line_that_is_too_long_is_refused_and_the_session_goes_on(talk, folder):
    found = talk("moon " * 500, "hello")
    assert "tokens, and the model has room for 390; write less)" in found.err
    assert found.out == answer_to(folder, "hello") + "\n"


def test_ctrl_c_stops_the_answer_and_keeps_what_there_is_and_the_session(talk, folder, monkeypatch):
    from minigpt.transformer import Transformer
    hidden, calls = Transformer.hidden, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return hidden(*args, **kwargs)
    monkeypatch.setattr(Transformer, "hidden", interrupted)
    found = talk("hello", "again")
    monkeypatch.undo()
    kept = answer_to(folder, "hello", tokens=3)
    assert found.out == f"{kept}\n{answer_to(folder, 'hello', kept, 'again')}\n"
    assert "; stopped)" in found.err


@pytest.mark.parametrize(("flags", "says"), [
    (["--temperature", "-1"], "temperature=-1.0 must be at least 0"),
    (["--top-p", "2"], "top_p=2.0 must lie above 0 and at most at 1"),
    (["--max-new-tokens", "0"], "--max-new-tokens 0 must be at least 1"),
    (["--max-new-tokens", "390"], "--max-new-tokens 390 must be at least 1, and leave 64 of the model's 400 tokens"),
    (["--seed", "-1"], "--seed -1 must lie between 0 and"),
    (["--model", "nothing"], "nothing holds no run: there is no such folder; `python -m minigpt train --out nothing`"),
    (["--model", "smollm"], "--model smollm: no such folder, and no published weights; did you mean smollm2"),
])
def test_flags_that_make_no_sense(folder, flags, says, capsys):
    assert refused(["chat", "--model", folder, *flags], capsys).startswith(f"minigpt: error: {says}")


@pytest.mark.slow
def test_an_encoder_cannot_write(tmp_path, capsys):
    folder = save(tiny(causal=False), tmp_path / "run")
    assert refused(["chat", "--model", folder], capsys).startswith(
        f"minigpt: error: {folder} was trained to guess hidden tokens: it reads both ways, and cannot write")


@pytest.mark.slow
def test_a_run_that_was_not_trained_to_answer_is_refused_with_what_it_can_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("minigpt.runs.Run.draw", lambda run, records: None)
    run = str(make_run(tmp_path))
    assert refused(["chat", "--model", run], capsys) == (
        f"minigpt: error: --model {run} was trained to continue texts, not to answer; let it continue one: "
        f"python -m minigpt generate --model {run}")


def hears_ctrl_c():
    """Undo what a process inherits from a shell that began it in the background, where Ctrl-C is not for it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
def test_in_a_terminal_ctrl_c_stops_an_answer_and_ctrl_d_ends(tmp_path):
    folder = save(tiny(context_length=20_000), tmp_path / "run")
    here, there = os.openpty()
    process = subprocess.Popen([sys.executable, "-m", "minigpt", *CHAT, "--max-new-tokens", "19000", "--model", folder],
                               stdin=there, stdout=there, stderr=there, cwd=ROOT, preexec_fn=hears_ctrl_c)
    os.close(there)
    seen = Screen(here)
    seen.until("Ctrl-D ends")
    seen.until("> ")
    seen.interrupt(process, "(Ctrl-D ends)")
    seen.until("> ")
    os.write(here, b"hello\n")
    seen.until("hello")
    seen.until("\n", more=200)
    seen.interrupt(process, "; stopped)")
    seen.until("> ")
    os.write(here, b"/help\n")
    seen.until("Ctrl-C stops an answer.")
    seen.until("> ")
    os.write(here, b"\x04")
    assert process.wait(20) == 0


class Screen:
    """What a program wrote into a terminal."""

    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""

    def interrupt(self, process, text):
        """Do what Ctrl-C does, until a text comes; between its prompt and its reading, input() does not notice it."""
        for _ in range(90):
            process.send_signal(signal.SIGINT)
            if select.select([self.terminal], [], [], 1)[0]:
                return self.until(text)
        raise AssertionError("it cannot be interrupted")

    def until(self, text, more=0):
        """Read on until a text comes, and so many characters more; what came before is forgotten."""
        while text not in self.text or len(self.text) < self.text.index(text) + len(text) + more:
            assert select.select([self.terminal], [], [], 20)[0], f"no {text!r} in {self.text!r}"
            self.text += os.read(self.terminal, 4096).decode(errors="replace")
        self.text = self.text[self.text.index(text) + len(text):]
