"""Write a model as a folder that other programs load: in Hugging Face's layout, as GPT-2 or Llama."""
import pathlib
import sys

from minigpt.commands.model import find_model
from minigpt.errors import InputError

EXAMPLES = """\
python -m minigpt export --model runs/mine --out exported
python -m minigpt export --model smollm2 --out smollm2-float32
python -m minigpt export --model model.gguf --out as-safetensors"""


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("--model", metavar="NAME", default="runs/mine",
                        help="a run folder, published weights, or weights of Llama's kind (default: %(default)s)")
    parser.add_argument("--out", metavar="FOLDER", required=True, help="the folder to write; it must be new, or empty")


def run(args) -> int:
    """Write the folder, whole or not at all; the exit status."""
    from minigpt.checkpoints import commit  # these load torch, which --help can do without
    from minigpt.pretrained.export import architecture, exported
    from minigpt.runs import require_place
    folder = pathlib.Path(args.out)
    require_place(args.out)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"--out {folder} is not empty; give a new folder")
    _, model, tokenizer = find_model(args.model, "cpu")
    try:
        files = exported(model, tokenizer)
    except InputError as error:
        raise InputError(f"--model {args.model} cannot be exported: {error}") from error
    try:
        commit(folder, files)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; make room, or give another folder") from error
    kind = architecture(model.config)
    print(f"{folder}: {kind}, {model.n_parameters:,} parameters, {sum(map(len, files.values())) / 1e6:.1f} MB in "
          f"{len(files)} files")
    print(f"the transformers library loads it: AutoModelForCausalLM.from_pretrained({str(folder)!r})", file=sys.stderr)
    return 0
