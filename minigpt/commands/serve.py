"""Serve a model to your browser and to programs that speak OpenAI's API, on this machine."""
import contextlib
import sys

from minigpt.commands.model import add_model_flags, load_model
from minigpt.errors import InputError

EXAMPLES = """\
python -m minigpt serve
python -m minigpt serve --model runs/mine --port 8080
python -m minigpt serve --model runs/mine --window --max-tokens 500"""


def add_arguments(parser):
    """The flags of this command."""
    add_model_flags(parser)
    parser.add_argument("--host", default="127.0.0.1", metavar="NAME",
                        help="where to listen; the default answers this machine only (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, metavar="INT",
                        help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=1024, metavar="INT",
                        help="the most that one answer may have (default: %(default)s)")
    parser.add_argument("--window", action="store_true",
                        help="of a text longer than the context, let the model see the end (default: refuse it)")
    parser.add_argument("--at-once", type=int, default=4, metavar="INT",
                        help="answers that are written side by side (default: %(default)s)")
    parser.add_argument("--waiting", type=int, default=16, metavar="INT",
                        help="requests that may wait beside them (default: %(default)s)")


def run(args) -> int:
    """Serve until Ctrl-C; the exit status."""
    for name, least in (("max_tokens", 1), ("at_once", 1), ("waiting", 0)):
        if getattr(args, name) < least:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} must be at least {least}")
    running = _running()
    with contextlib.closing(running.bind(args.host, args.port)) as sock:     # before the model, which takes longer
        server = running.Server(_served(args), running.Line(args.at_once, args.waiting), _names(args.host))
        _greet(server, running.url_of(sock), args)
        with contextlib.suppress(KeyboardInterrupt):
            server.run([sock])
    _say("stopped")
    return 0


def _running():
    try:
        from minigpt.server import running
    except ModuleNotFoundError as error:
        raise InputError(f"serving needs the package {error.name}; pip install 'minigpt[serve]', or pip install "
                         "fastapi uvicorn") from error
    return running


def _served(args):
    from minigpt.server.served import Served
    if sys.stderr.isatty():
        _say(f"loading {args.model} ...")
    return Served(*load_model(args), args.max_tokens, args.window)


def _names(host):
    """Names under which a browser may ask for this server."""
    import socket
    return () if host in ("127.0.0.1", "localhost", "::1") else (host, socket.gethostname(), socket.getfqdn())


def _greet(server, url, args):
    served = server.config.app.state.served
    kind = "chats and continues texts" if served.chats else "continues texts"
    _say(f"{served.name}, which {kind}, is served at {url} - open that in a browser, or:")
    _say(f"  curl {url}/v1/completions -H 'Content-Type: application/json' "
         f"-d '{{\"model\": \"{served.name}\", \"prompt\": \"Once\"}}'")
    if args.host not in ("127.0.0.1", "localhost", "::1"):
        _say(f"warning: --host {args.host} lets everyone who reaches this machine use the model; there is no password")
    _say("Ctrl-C stops")


def _say(line):
    print(line, file=sys.stderr, flush=True)
