"""tokenizer.json, the file format of Hugging Face's `tokenizers`: what it holds for our tokenizers."""
import json
import os
import pathlib

from minigpt.errors import InputError


def wordpiece_document(special_ids, pieces, *, lowercase):
    """What a tokenizer.json of BERT's kind says, field for field as `tokenizers` writes it.

    special_ids: {special token: id}, [CLS] and [SEP] among them. pieces: the vocabulary, by id.
    """
    def piece(token, type_id):
        return {"SpecialToken": {"id": token, "type_id": type_id}}

    def sequence(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}
    single = [piece("[CLS]", 0), sequence("A", 0), piece("[SEP]", 0)]
    used = {token: {"id": token, "ids": [special_ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": _added(special_ids),
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": lowercase},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": single, "special_tokens": used,
                               "pair": [*single, sequence("B", 1), piece("[SEP]", 1)]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": {token: i for i, token in enumerate(pieces)}}}


def _added(special_ids):
    as_it_is = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": i, "content": token} | as_it_is for i, token in sorted((i, t) for t, i in special_ids.items())]


def tokenizer_document(special_ids, vocabulary, merges, *, unknown, pre_tokenizer, decoder):
    """What a tokenizer.json says, as dicts and lists; field for field as `tokenizers` writes it.

    special_ids: {special token: id}. vocabulary: tokens as text, by id, the special ones among them.
    merges: pairs of tokens as text. unknown: the token for what has none, or None.
    pre_tokenizer, decoder: their type, with options, or None.
    """
    model = {"type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": {token: i for i, token in enumerate(vocabulary)},
             "merges": [list(pair) for pair in merges]}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": _added(special_ids),
            "normalizer": None, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder,
            "model": model}


def write_document(path, document):
    """Write a tokenizer.json, whole or not at all. Raises InputError if it cannot be written."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; make room, or choose another "
                         "place") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_document(path):
    """The dict that a tokenizer.json holds. Raises InputError if there is none."""
    try:
        document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give the path of a "
                         "tokenizer.json") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON, perhaps cut off ({type(error).__name__}); save or train it "
                         "again") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} holds a {type(document).__name__}, not a tokenizer; give the path of a "
                         "tokenizer.json")
    return document


def decoder_type(document):
    """The type of a document's decoder, by which we know the tokenizer that saved it; None if it has none."""
    decoder = document.get("decoder")
    return decoder.get("type") if isinstance(decoder, dict) else None


def difference(document, expected, name=""):
    """The name of the first field in which two documents differ, such as "model.vocab", or None."""
    if isinstance(document, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *document]):
            inner = f"{name}.{key}" if name else key
            found = inner if (key in document) != (key in expected) else difference(
                document[key], expected[key], inner)
            if found:
                return found
        return None
    return None if document == expected else name
