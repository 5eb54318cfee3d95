"""What the flags of `train` choose: the objective, and what goes with it."""
from minigpt.commands.flags import add_config_flags, checked, given
from minigpt.config import PRESETS, TrainConfig, TransformerConfig, preset, recipe
from minigpt.errors import InputError
from minigpt.listing import suggest
from minigpt.swap import IMPLEMENTATIONS

OBJECTIVES = ("causal", "mlm", "mlm+nsp")
DEFAULTS = {"objective": "causal", "preset": "gpt2-nano", "tokenizer": "bpe", "implementation": "fused"}
OF_ENCODERS = {"preset": "bert-nano", "tokenizer": "wordpiece"}     # where hidden tokens are guessed
VOCABULARY = 4096       # tokens of a tokenizer, unless --vocab-size says otherwise


def add_choices(parser):
    """The flags whose values `asked` gives."""
    parser.add_argument("--objective", choices=OBJECTIVES, help="predict the next token (causal, the default), guess "
                        "hidden ones (mlm), or guess these and whether one text follows another (mlm+nsp)")
    parser.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} {_default('preset')}")
    parser.add_argument("--tokenizer", choices=["bpe", "char", "wordpiece"], help=_default("tokenizer"))
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS,
                        help=f"of the parts (default: {DEFAULTS['implementation']})")


def add_settings(parser):
    """The flags of the model and of the training."""
    add_config_flags(parser, TransformerConfig, "the model", skip=("causal",), vocab_size=VOCABULARY)
    add_config_flags(parser, TrainConfig, "the training (5 minutes, unless told otherwise)")


def defaults(objective):
    """What is chosen unless the user chooses, by name."""
    return DEFAULTS | {"objective": objective} | ({} if objective == "causal" else OF_ENCODERS)


def asked(args):
    """What the user chose about the run itself, by name."""
    chosen = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name) is not None}
    return chosen | given(TransformerConfig, args) | given(TrainConfig, args)


def settings(args, chosen):
    """(TransformerConfig, TrainConfig) that the flags describe. chosen: what was asked for, and the defaults.

    Raises InputError for what does not fit together.
    """
    name, masked = chosen["preset"], chosen["objective"] != "causal"
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}; {suggest(name, PRESETS)}")
    if masked != (chosen["tokenizer"] == "wordpiece"):
        raise InputError("--objective {objective} --tokenizer {tokenizer} do not fit: [MASK], [CLS] and [SEP] are in "
                         "wordpiece alone, and a text can be put together again from bpe and char alone; leave "
                         "--tokenizer out".format(**chosen))
    if masked and args.compile:
        raise InputError(f"--compile is for batches that all have one shape; with --objective {chosen['objective']} "
                         "each hides another number of tokens: leave --compile out")
    changes = {"vocab_size": VOCABULARY} | given(TransformerConfig, args)
    if masked:
        changes = {"causal": False, "token_types": 2 if chosen["objective"] == "mlm+nsp" else 0} | changes
    model = checked(preset, name, **changes)
    if not masked and not model.causal:
        raise InputError(f"--preset {name} reads both ways: it would see the very token that it is to predict; take "
                         "one that does not, such as gpt2-nano, or let it guess hidden tokens: --objective mlm")
    if chosen["objective"] == "mlm+nsp" and model.token_types < 2:
        raise InputError(f"--token-types {model.token_types}: --objective mlm+nsp tells two segments apart; take 2")
    return model, checked(recipe, name, **given(TrainConfig, args))


def _default(name):
    return f"(default: {DEFAULTS[name]}, {OF_ENCODERS[name]} for mlm)"
