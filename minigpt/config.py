"""The two configurations: what the model is, and how it is trained. Frozen, checked once."""
import math
from dataclasses import asdict, dataclass, fields

CHOICES = {
    "norm": ("layer_norm", "rms_norm"),
    "norm_position": ("pre", "post"),
    "positions": ("learned", "rope"),
    "feed_forward": ("gelu", "gelu_tanh", "relu_squared", "swiglu"),
    "optimiser": ("adamw", "muon"),
    "schedule": ("cosine", "linear", "constant"),
}
LARGEST = 2**63 - 1     # what an int64 holds


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a Transformer. Letters in brackets are those of the equations.

    Raises ValueError, with the way out, for sizes that do not fit together.
    """
    vocab_size: int                     # V, tokens
    context_length: int = 128           # the most positions that attend to each other, tokens
    n_layer: int = 4                    # L
    n_head: int = 4                     # H; each head has width D = d_model / n_head
    n_kv_head: int | None = None        # G; H/G query heads share one key and value head; None means n_head
    d_model: int = 128                  # C, the width of the residual stream
    d_ff: int | None = None             # F, the hidden width; None means 4 d_model, or 8/3 of it for swiglu
    feed_forward: str = "gelu_tanh"     # its activation; gelu is exact, gelu_tanh is what GPT-2 computes
    norm: str = "layer_norm"
    norm_position: str = "pre"          # pre: before attention and feed-forward; post: after they were added
    positions: str = "learned"          # learned: a vector for each, added; rope: queries and keys are turned
    rope_theta: float = 10000.0         # sets rope's slowest frequency
    query_key_norm: bool = False        # rms_norm of each head's queries and keys, before rope
    token_types: int = 0                # kinds of tokens that have a vector, added: 2 tell two sentences apart (BERT)
    embedding_norm: bool = False        # a norm before the first block (BERT)
    causal: bool = True                 # a position attends to itself and to earlier ones only
    tied_embeddings: bool = True        # the output layer is the token embedding, transposed
    bias: bool = True                   # in linear layers and layer norms
    zero_init: bool = False             # what writes to the stream, and an untied output layer, start at 0
    dropout: float = 0.0                # probability of setting a value to zero while training
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.n_kv_head is None:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if self.d_ff is None:
            wide = 8 * -(-self.d_model // 3) if self.feed_forward == "swiglu" else 4 * self.d_model
            object.__setattr__(self, "d_ff", wide)
        for name in ("vocab_size", "context_length", "n_layer", "n_head", "n_kv_head", "d_model", "d_ff"):
            _require_positive_int(self, name)
        _require_choices(self, "feed_forward", "norm", "norm_position", "positions")
        self._require_heads()
        if not (isinstance(self.token_types, int) and self.token_types >= 0):
            raise ValueError(f"token_types={self.token_types!r} must be a whole number, 0 for none; BERT has 2")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is a probability below 1; try 0.1")
        for name in ("norm_eps", "rope_theta"):
            value, usual = getattr(self, name), getattr(type(self), name)
            if not value > 0:
                raise ValueError(f"{name}={value} must be greater than 0; try {usual:g}")
        _refuse_too_large(self)

    def _require_heads(self):
        C, H, G = self.d_model, self.n_head, self.n_kv_head
        if C % H:
            raise ValueError(f"d_model={C} is not divisible by n_head={H}; try d_model={H * -(-C // H)}")
        if H % G:
            raise ValueError(f"n_head={H} is not divisible by n_kv_head={G}; try n_kv_head={math.gcd(H, G)}")
        if self.positions == "rope" and self.d_head % 2:
            raise ValueError(f"rope turns pairs of features: a head's width must be even, not {C}/{H}={self.d_head}")

    @property
    def d_head(self):
        """D, the width of one head."""
        return self.d_model // self.n_head


@dataclass(frozen=True)
class TrainConfig:
    """How a run is trained. Exactly one of steps, minutes and tokens says how long.

    Raises ValueError, with the way out, for values that make no sense.
    """
    steps: int | None = None            # optimiser steps
    minutes: float | None = None        # of training; 20 measured steps turn it into steps
    tokens: int | None = None           # tokens seen
    batch_size: int = 32                # sequences per forward pass
    accumulation: int = 1               # forward passes per optimiser step
    optimiser: str = "adamw"            # muon is for the matrices of the blocks, with adamw for the rest
    lr: float = 1e-3                    # the highest learning rate of adamw
    muon_lr: float = 0.02               # that of muon
    schedule: str = "cosine"            # of the rates after the warm-up; linear goes to 0
    min_lr_ratio: float = 0.1           # where the cosine ends, as a share of lr
    warmup: float = 0.05                # share of the steps in which the rate rises from 0
    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.1           # of matrices; biases and norms are not decayed
    clip: float = 1.0                   # longest gradient allowed, as a Euclidean norm; 0 turns it off
    evaluate_every: int = 100           # steps
    evaluate_batches: int = 8           # of a fixed sample of validation; 0 means all of it
    checkpoint_minutes: float = 1.0     # of training between two checkpoints
    seed: int = 0

    def __post_init__(self):
        lengths = [name for name in ("steps", "minutes", "tokens") if getattr(self, name) is not None]
        if len(lengths) > 1:
            raise ValueError(f"{' and '.join(lengths)} both say how long to train; give one")
        if not lengths:
            object.__setattr__(self, "minutes", 5.0)
        for name in ("batch_size", "accumulation", "evaluate_every"):
            _require_positive_int(self, name)
        _require_choices(self, "optimiser", "schedule")
        for name in ("steps", "minutes", "tokens", "lr", "muon_lr", "eps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be greater than 0")
        for name in ("min_lr_ratio", "warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must lie between 0 and 1")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 0 and below 1; try 0.9")
        for name in ("weight_decay", "clip", "evaluate_batches", "checkpoint_minutes", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative")
        _refuse_too_large(self)


PRESETS = {
    # the 2019 recipe (GPT-2), from a size for a laptop's minutes to the published 124M parameters
    "gpt2-nano": {"n_layer": 4, "n_head": 4, "d_model": 128, "context_length": 128},
    "gpt2-micro": {"n_layer": 6, "n_head": 6, "d_model": 192, "context_length": 256},
    "gpt2-mini": {"n_layer": 6, "n_head": 6, "d_model": 384, "context_length": 256},
    "gpt2-small": {"n_layer": 12, "n_head": 12, "d_model": 768, "context_length": 1024},
    # what most open models since 2023 are made of (Llama, SmolLM), at the size of gpt2-nano
    "llama": {"n_layer": 4, "n_head": 4, "n_kv_head": 2, "d_model": 128, "context_length": 128, "norm": "rms_norm",
              "positions": "rope", "feed_forward": "swiglu", "bias": False},
    # an encoder (BERT, Devlin et al. 2018): it reads both ways; at the size of gpt2-nano
    "bert-nano": {"n_layer": 4, "n_head": 4, "d_model": 128, "context_length": 128, "causal": False, "token_types": 2,
                  "norm_position": "post", "embedding_norm": True, "feed_forward": "gelu", "norm_eps": 1e-12},
    # our quickest on a CPU, at the size of gpt2-nano; RECIPES has how it is trained
    "fast": {"n_layer": 4, "n_head": 4, "d_model": 128, "context_length": 128, "norm": "rms_norm", "positions": "rope",
             "query_key_norm": True, "feed_forward": "swiglu", "bias": False, "zero_init": True},
}

# how a preset is trained, where that differs from the defaults of TrainConfig
RECIPES = {
    "fast": {"optimiser": "muon", "lr": 3e-3, "muon_lr": 0.02, "schedule": "linear", "warmup": 0.0, "batch_size": 8,
             "weight_decay": 0.0},
}


def preset(name, **changes):
    """The TransformerConfig of a preset, with changes: preset("gpt2-nano", vocab_size=4096)."""
    if name not in PRESETS:
        raise ValueError(f"preset={name!r} is not one of {', '.join(PRESETS)}")
    return TransformerConfig(**PRESETS[name] | changes)


def recipe(name, **changes):
    """The TrainConfig that goes with a preset, with changes: recipe("fast", minutes=3)."""
    if name not in PRESETS:
        raise ValueError(f"preset={name!r} is not one of {', '.join(PRESETS)}")
    return TrainConfig(**RECIPES.get(name, {}) | changes)


def to_dict(config):
    """A configuration as plain values, for config.json."""
    return asdict(config)


def from_dict(kind, values):
    """A configuration of `kind` from plain values. Raises ValueError for a field it does not have."""
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return kind(**values)


def _require_choices(config, *names):
    for name in names:
        if getattr(config, name) not in CHOICES[name]:
            raise ValueError(f"{name}={getattr(config, name)!r} is not one of {', '.join(CHOICES[name])}")


def _require_positive_int(config, name):
    value = getattr(config, name)
    if not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ValueError(f"{name}={value!r} must be a whole number greater than 0")


def _refuse_too_large(config):
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, int) and value > LARGEST:
            raise ValueError(f"{field.name}={value} is too large; the most is {LARGEST}")
