"""The flags and the loading of a model that writes: published weights, or a run folder."""
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
                        help="a run folder, or published weights: smollm2 (default: %(default)s)")
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
    from minigpt import pretrained, runs  # these load torch, which --help can do without
    from minigpt.devices import choose_device
    from minigpt.inference import prepare
    device, name = choose_device(args.device), pathlib.Path(args.model).resolve().name
    close = difflib.get_close_matches(args.model, pretrained.PUBLISHED, n=1)
    if args.model in pretrained.PUBLISHED:
        model, tokenizer = pretrained.load(args.model, device)
    elif close and not pathlib.Path(args.model).exists():
        raise InputError(f"--model {args.model}: no such folder, and no published weights; did you mean {close[0]}?")
    else:
        model, tokenizer, _ = runs.load_run(args.model, device)
    if not model.config.causal:
        raise InputError(f"{args.model} was trained to guess hidden tokens: it reads both ways, and cannot write; "
                         "train one that can with `train --objective causal`, or teach this one a task: python -m "
                         f"minigpt finetune --from {shlex.quote(args.model)}")
    return name, prepare(model, args.quantize or "float32") if pack else model, tokenizer
