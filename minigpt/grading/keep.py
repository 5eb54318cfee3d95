"""What passes `check` is kept: the student's functions in my/X.py, from where `--mine` takes them."""
import contextlib
import hashlib
import itertools
import pathlib
import re
import tempfile
import warnings

from minigpt.errors import InputError
from minigpt.grading.contract import run_contract
from minigpt.grading.source import Unsaveable, is_in, module_of
from minigpt.listing import ROOT
from minigpt.mine import load_mine, mine_op
from minigpt.progress import folder, shown, write
from minigpt.swap import known_names

OURS = [ROOT / name for name in ("minigpt", "kernels", "tests")]
# what `train` has to be told so that it calls a function of the model; what is not here is put in by a program
FLAGS = (dict.fromkeys(("attention", "causal_lm", "cross_entropy", "dropout", "embedding", "layer_norm", "linear",
                        "softmax"), "")
         | dict.fromkeys(("rms_norm", "rope", "silu", "swiglu"), " --preset llama")
         | dict.fromkeys(("gelu", "masked_lm"), " --objective mlm")
         | dict.fromkeys(("next_sentence", "pooling"), " --objective mlm+nsp")
         | {"relu_squared": " --feed-forward relu_squared"})
HEADER = "# Kept by check({concept!r}), which it passed. A later pass replaces it, unless you change it. [{mark}]\n"


def keep(concept, functions):
    """Write functions that have passed the contract of a concept into my/CONCEPT.py; a line that says what was done.

    functions: {name: function}. Nothing is done, and "" returned, for functions of ours, for those that are in a file
    there already, or no pair and no PyTorch function of that name, and where nothing is to be kept.
    What the file held before stays beside it, unless we wrote it. The new one is tried first: it must load, and pass
    the same contract.
    """
    place = folder()
    whole = set(functions) in ({concept}, {f"{concept}_forward", f"{concept}_backward"}) and concept in known_names()
    if place is None or not whole or any(is_in(where, f) for where in (*OURS, place) for f in functions.values()):
        return ""
    try:
        body = module_of(functions)
        mark = hashlib.sha256(body.encode()).hexdigest()[:12]
        path, text = place / f"{concept}.py", HEADER.format(concept=concept, mark=mark) + body
        moved = "" if path.is_file() and path.read_text("utf-8") == text else _write(path, text, concept)
    except (InputError, OSError, UnicodeError, Unsaveable) as error:
        return f"Not kept in my/: {error}."
    return f"Kept in {shown(path)}{moved}. {possible(concept, shown(path))}"


def possible(concept, path):
    """What can be done with functions of a concept that are kept in a file."""
    if concept in FLAGS:
        return f"This {concept} can now train the model: python -m minigpt train --mine {path}{FLAGS[concept]}"
    return f"In a program of yours, `with minigpt.use({concept}=...):` puts it into the model."


def _write(path, text, concept):
    """Write the file, after it was tried; says where the one before is, if that was not ours to replace."""
    with tempfile.TemporaryDirectory() as scratch:
        trial = pathlib.Path(scratch, path.name)
        trial.write_text(text, encoding="utf-8")
        _require_pass(trial, concept)
    path.parent.mkdir(parents=True, exist_ok=True)
    moved = ""
    if path.exists() and not _is_untouched(path):
        backup = _beside(path)
        moved = f" (what was there is now {backup.name})"
    write(path, text)
    return moved


def _require_pass(path, concept):
    """Raise Unsaveable unless the file loads by itself and its functions pass the contract."""
    op = mine_op(load_mine(path), concept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                # a right answer may warn too
        wrong = [o for o in run_contract(concept, op) if o.status not in ("passed", "skipped")] if op else [None]
    if wrong:
        raise Unsaveable("by itself, in a file, it does not pass; it depends on something else in your session")


def _is_untouched(path):
    """Whether a file is as `keep` wrote it."""
    with contextlib.suppress(UnicodeError):
        head, _, body = path.read_text("utf-8").partition("\n")
        mark = re.fullmatch(r"# Kept by check\(.*\[([0-9a-f]+)\]", head)
        return bool(mark) and hashlib.sha256(body.encode()).hexdigest().startswith(mark[1])
    return False


def _beside(path):
    """A copy of a file under the first number that is free."""
    for number in itertools.count(1):
        copy = path.with_name(f"{path.name}.{number}")
        with contextlib.suppress(FileExistsError), open(copy, "xb") as file:
            file.write(path.read_bytes())
            return copy
