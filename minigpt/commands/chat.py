"""Talk with a model in the terminal; it answers as it thinks, token by token."""
import contextlib
import difflib
import functools
import re
import sys
import time

from minigpt.commands.flags import finite
from minigpt.commands.model import add_model_flags, check_sampling, load_model
from minigpt.errors import InputError

EXAMPLES = """\
python -m minigpt chat
python -m minigpt chat --system "You answer in one sentence." --temperature 0.7
python -m minigpt chat --quantize int4"""
COMMANDS = {
    "/reset": "forget what was said",
    "/system": "TEXT: who the model is to be from now on; without TEXT, nobody in particular",
    "/help": "this",
    "/quit": "end, as Ctrl-D does",
}
HELP = "\n".join([*(f"  {name:<8} {text}" for name, text in COMMANDS.items()),
                  "  A line that ends with \\ goes on in the next. A text that begins with / is sent as //.",
                  "  Ctrl-C stops an answer."])


def add_arguments(parser):
    """The flags of this command."""
    add_model_flags(parser)
    parser.add_argument("--system", metavar="TEXT", help="who the model is to be")
    parser.add_argument("--temperature", type=finite, default=0.2, metavar="FLOAT",
                        help="0 always takes the likeliest token, 1 draws as the model believes (default: %(default)s)")
    parser.add_argument("--top-p", type=finite, default=0.9, metavar="FLOAT",
                        help="draw from the likeliest tokens that together are so probable (default: %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=512, metavar="INT",
                        help="the most that one answer may have (default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="INT", help="the same seed answers the same (default: chance)")


def run(args) -> int:
    """Talk until the input ends; the exit status."""
    from minigpt.chat_template import answers, chat_ids
    from minigpt.conversation import Conversation
    from minigpt.kv_cache import KVCache
    check_sampling(args)
    if sys.stdin.isatty():
        _say(f"loading {args.model} ...")
    name, model, tokenizer = load_model(args)
    if not answers(tokenizer):
        raise InputError(f"--model {args.model} was trained to continue texts, not to answer; let it continue one: "
                         f"python -m minigpt generate --model {args.model}")
    room = model.config.context_length - args.max_new_tokens
    if args.max_new_tokens < 1 or room < 64:
        raise InputError(f"--max-new-tokens {args.max_new_tokens} must be at least 1, and leave 64 of the model's "
                         f"{model.config.context_length} tokens for what you write; try 512")
    conversation = Conversation(functools.partial(chat_ids, tokenizer), room, args.system)
    cache = KVCache(model.config)                      # what was said before is not read again
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):         # then lines can be edited and recalled
            import readline  # noqa: F401
        _say(f"{name} listens; /help shows what else you can type, Ctrl-D ends")
    for line in _lines():
        if _is_command(line):
            _obey(line, conversation)
        else:
            _talk(line, conversation, model, tokenizer, cache, args)
    return 0


def _lines():
    """What the user types or pipes in; a line that ends with a backslash goes on in the next."""
    waiting = ""
    while True:
        try:
            line = input(("... " if waiting else "> ") if sys.stdin.isatty() else "")
        except EOFError:
            _say("" if sys.stdin.isatty() else None)
            if waiting.strip():
                yield waiting
            return
        except KeyboardInterrupt:
            _say("\n(Ctrl-D ends)")
            waiting = ""
            continue
        if line.strip() in ("/quit", "/exit"):
            return
        waiting += line
        if line.endswith("\\"):
            waiting = waiting[:-1] + "\n"
            continue
        if waiting.strip():
            yield waiting
        waiting = ""


def _is_command(line):
    return re.match(r"/\w+( |$)", line) is not None


def _obey(line, conversation):
    """Do what a /command says."""
    name, _, rest = line.partition(" ")
    if name == "/help":
        _say(HELP)
    elif name == "/reset":
        conversation.reset()
        _say("(everything that was said is forgotten)")
    elif name == "/system":
        conversation.system = rest.strip() or None
        _say(f"(system message: {conversation.system or 'none'})")
    else:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        _say(f"(no command {name}; {f'did you mean {close[0]}? ' if close else ''}/help lists them)")


def _talk(line, conversation, model, tokenizer, cache, args):
    """Let the model answer a line, as it writes; Ctrl-C keeps what there is."""
    try:
        ids, dropped = conversation.ask(line.removeprefix("/") if line.startswith("//") else line)
    except InputError as error:
        return _say(f"({error})")
    if dropped:
        _say(f"(the model no longer sees the {f'{dropped} oldest questions' if dropped > 1 else 'oldest question'}, "
             "with the answer: its context is full)")
    begun, times, found, ended = time.perf_counter(), [], [], ""
    try:
        for piece in _answer(ids, model, tokenizer, cache, args):
            found.append(piece)
            times.append(time.perf_counter())
            print(piece.text, end="", flush=True)
    except KeyboardInterrupt:
        ended = "; stopped"
    print(flush=True)
    conversation.answered("".join(piece.text for piece in found))
    if found and found[-1].finish_reason == "length":
        ended = "; cut off by --max-new-tokens"
    n = sum(len(piece.tokens) for piece in found)
    speed = f", {(len(times) - 1) / (times[-1] - times[0]):.1f} a second" if len(times) > 2 else ""
    first = f", the first after {times[0] - begun:.1f} s" if times else ""
    _say(f"({n} tokens{speed}{first}; {len(ids) + n:,} of {model.config.context_length:,} in the context{ended})")


def _answer(ids, model, tokenizer, cache, args):
    """The pieces of an answer."""
    from minigpt.writing import pieces
    return pieces(model, tokenizer, ids, max_new_tokens=args.max_new_tokens, temperature=args.temperature,
                  top_p=args.top_p, seed=args.seed, alternatives=None, cache=cache)


def _say(line):
    """Something beside the conversation: of the program, not of the model."""
    if line is not None:
        print(line, file=sys.stderr, flush=True)
