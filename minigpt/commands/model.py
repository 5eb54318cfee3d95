"""The flags and the loading of a model that writes: published weights, a run folder, or what others saved."""
import difflib
import pathlib
import shlex

from minigpt.commands.flags import checked
from minigpt.config import LARGEST
from minigpt.errors import InputError

FORMS = ("bf16", "int8", "int4")


def add_model_flags(parser, default="smollm2"):
    """Add --model, --quantize and --device."""
    parser.add_argument("--model", metavar="NAME", default=default,
                        help="a run folder, published weights (smollm2), or others of Llama's kind: a GGUF file, or "
                             "a folder with safetensors (default: %(default)s)")
    parser.add_argument("--quantize", choices=FORMS, metavar="KIND",
                        help="weights of fewer bits, which are read faster: bf16, int8 or int4 (default: float32)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if there is one)")


def check_sampling(args):
    """Raise InputError unless --temperature, --top-p and --seed are such that one can draw a token with them."""
    import torch

    from minigpt.generation import next_token_probabilities
    checked(next_token_probabilities, torch.zeros(1), temperature=args.temperature, top_p=args.top_p)
    if args.seed is not None and not 0 <= args.seed <= LARGEST:
        raise InputError(f"--seed {args.seed} must lie between 0 and {LARGEST}")


def load_model(args, *, pack=True):
    """(name, model, tokenizer) of --model, the weights in the form of --quantize, or as they are without `pack`.

    Raises InputError if there is no such model, or none that writes.
    """
    from minigpt.devices import choose_device  # these load torch, which --help can do without
    from minigpt.inference import prepare
    name, model, tokenizer = find_model(args.model, choose_device(args.device))
    if not model.config.causal:
        raise InputError(f"{args.model} was trained to guess hidden tokens: it reads both ways, and cannot write; "
                         "train one that can with `train --objective causal`, or teach this one a task: python -m "
                         f"minigpt finetune --from {shlex.quote(args.model)}")
    return name, prepare(model, args.quantize or "float32") if pack else model, tokenizer


def find_model(name, device):
    """(short name, model, tokenizer) of published weights, of a run folder, or of weights that others saved.

    Raises InputError if there is no such model.
    """
    from minigpt import pretrained, runs
    path, close = pathlib.Path(name), difflib.get_close_matches(name, pretrained.PUBLISHED, n=1)
    if name in pretrained.PUBLISHED:
        model, tokenizer = pretrained.load(name, device)
    elif close and not path.exists():
        raise InputError(f"--model {name}: no such folder, and no published weights; did you mean {close[0]}?")
    elif path.is_file() or pretrained.is_model_folder(path):
        return path.resolve().stem, *pretrained.load(path, device)
    else:
        model, tokenizer, _ = runs.load_run(path, device)
    return path.resolve().name, model, tokenizer
