"""`python -m minigpt serve`: how it begins, complains, warns and ends."""
import contextlib
import importlib.util
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest
from served import ask, asking, save, tiny
from tiny import refused

import minigpt
from minigpt.server.line import Line
from minigpt.server.running import Server, bind, url_of

ROOT = pathlib.Path(__file__).parents[1]


@contextlib.contextmanager
def serving(folder, *flags):
    """(process, address, what it said) of a server in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "minigpt", "serve", "--model", folder, "--port", "0", *flags],
                               cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        while not said or "Ctrl-C" not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], said
        yield process, re.search(r"http://\S+", said[0])[0], "".join(said)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_it_serves_a_run_folder_until_ctrl_c_and_ends_cleanly(tmp_path):
    folder = save(tiny(context_length=4000), tmp_path / "mine")
    with serving(folder, "--max-tokens", "3000") as (process, url, said):
        assert said.startswith(f"mine, which chats and continues texts, is served at {url} - open")
        assert "warning" not in said
        assert ask(url, "/v1/models")[2]["data"][0]["id"] == "mine"
        assert ask(url, "/v1/completions", {"model": "mine", "prompt": "a"})[0] == 200
        body = {"model": "mine", "prompt": "a", "max_tokens": 3000, "stream": True}
        with asking(url, body) as connection:
            assert connection.getresponse().read(6) == b"data: "         # it writes, and is interrupted at that
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err


@pytest.mark.parametrize(("flags", "says"), [
    (["--port", "70000"], "--port 70000 must lie between 0 and 65535; try 8000"),
    (["--port", "-1"], "--port -1 must lie between 0 and 65535; try 8000"),
    (["--host", "no.such.host.invalid"], "--host no.such.host.invalid: no such address; leave it out for this machine"),
    (["--max-tokens", "0"], "--max-tokens 0 must be at least 1"),
    (["--at-once", "0"], "--at-once 0 must be at least 1"),
    (["--waiting", "-1"], "--waiting -1 must be at least 0"),
    (["--model", "nothing", "--port", "0"], "nothing holds no run: there is no such folder"),
    (["--prot", "1"], "unrecognized arguments: --prot 1; did you mean --port?"),
])
def test_flags_that_make_no_sense(flags, says, capsys):
    assert refused(["serve", *flags], capsys).startswith(f"minigpt: error: {says}")


def test_a_port_in_use_is_said_before_the_model_is_loaded(capsys):
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        line = refused(["serve", "--model", "nothing", "--port", str(port)], capsys)
    assert line == (f"minigpt: error: port {port} is in use, maybe by another server of yours; stop that, or try "
                    f"--port {port + 1}")


@pytest.mark.slow
def test_without_the_packages_it_says_how_to_get_them(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "fastapi" or "minigpt.server" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(minigpt, "server", raising=False)     # put back afterwards, as it was
    monkeypatch.setitem(sys.modules, "fastapi", None)
    line = refused(["serve"], capsys)
    assert line == ("minigpt: error: serving needs the package fastapi; pip install 'minigpt[serve]', or pip install "
                    "fastapi uvicorn")


@pytest.mark.slow
def test_an_encoder_is_refused(tmp_path, capsys):
    folder = save(tiny(causal=False), tmp_path / "encoder")
    assert "it reads both ways, and cannot write" in refused(["serve", "--model", folder, "--port", "0"], capsys)


@pytest.mark.slow
def test_a_server_for_others_is_warned_about_and_knows_its_names(tmp_path, capsys, monkeypatch):
    from minigpt.commands import serve
    monkeypatch.setattr(Server, "run", lambda self, sockets: None)
    folder = save(tiny(), tmp_path / "mine")
    from minigpt.__main__ import main
    assert main(["serve", "--model", folder, "--host", "0.0.0.0", "--port", "0"]) == 0
    assert "warning: --host 0.0.0.0 lets everyone who reaches this machine use the model" in capsys.readouterr().err
    assert socket.gethostname() in serve._names("0.0.0.0")
    assert serve._names("127.0.0.1") == ()


@pytest.mark.parametrize(("host", "begin"), [("127.0.0.1", "http://127.0.0.1:"), ("::1", "http://[::1]:"),
                                             ("0.0.0.0", "http://127.0.0.1:")])
def test_the_address_can_be_opened_from_this_machine(host, begin):
    try:
        with bind(host, 0) as sock:
            assert url_of(sock) == f"{begin}{sock.getsockname()[1]}"
    except Exception as error:
        if host != "::1":
            raise
        pytest.skip(f"no IPv6 here: {error}")


def test_the_page_is_in_the_package():
    assert (pathlib.Path(importlib.util.find_spec("minigpt.server").origin).parent / "page.html").is_file()
    assert len(Line()) == 0
