"""The flags and the loading of a model that writes: published weights, or a run folder."""
import pathlib

from minigpt.commands.flags import checked
from minigpt.config import LARGEST
from minigpt.errors import InputError

FORMS = ("float32", "bf16", "int8", "int4")


def add_model_flags(parser, does):
    """Add --model and --device. does: what the command does with the model."""
    parser.add_argument("--model", metavar="NAME", default="smollm2",
                        help=f"published weights or a run folder, {does} (default: %(default)s)")
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


def load_model(args):
    """(name, model, tokenizer) of --model.

    Raises InputError if there is no such model, or none that writes.
    """
    from minigpt import pretrained, runs  # these load torch, which --help can do without
    from minigpt.devices import choose_device
    from minigpt.inference import prepare
    from minigpt.listing import suggest
    device = choose_device(args.device)
    if args.model in pretrained.PUBLISHED:
        name, (model, tokenizer) = args.model, pretrained.load(args.model, device)
    elif pathlib.Path(args.model).exists():
        name, (model, tokenizer, _) = pathlib.Path(args.model).resolve().name, runs.load_run(args.model, device)
    else:
        raise InputError(f"--model {args.model}: no such folder, and no published weights; "
                         f"{suggest(args.model, pretrained.PUBLISHED)}")
    if not model.config.causal:
        raise InputError(f"--model {args.model} reads texts and cannot write them: each of its tokens sees the later "
                         "ones; give a run of next-token training, or smollm2")
    return name, prepare(model, args.quantize or "float32"), tokenizer
