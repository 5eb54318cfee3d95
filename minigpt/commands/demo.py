"""The whole path in five minutes: a text, a GPT that writes, and an encoder that is pre-trained and taught a task."""
import re
import shlex
import time
from collections import namedtuple

from minigpt.commands.flags import checked, finite

EXAMPLES = """\
python -m minigpt demo
python -m minigpt demo --minutes 1
python -m minigpt demo --text my.txt --out runs/my-demo"""

OUT = "runs/demo"
MINUTES = 1.5
STRIDE = 2                          # a token is judged with at least half of the context before it
Row = namedtuple("Row", "what bits seconds")


def add_arguments(parser):
    """The flags of this command."""
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="FILE_OR_FOLDER", help="your own text, UTF-8")
    text.add_argument("--corpus", metavar="NAME", help="see `python -m minigpt data list` (default: shakespeare)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=finite, metavar="FLOAT",
                        help=f"of training; the rest takes about three minutes (default: {MINUTES:g})")
    length.add_argument("--steps", type=int, metavar="INT", help="train for so many steps, however long they take")
    parser.add_argument("--out", metavar="FOLDER", default=OUT, help="(default: %(default)s, replaced each time)")
    parser.add_argument("--vocab-size", type=int, default=4096, metavar="INT", help="(default: %(default)s)")
    parser.add_argument("--objective", choices=["mlm", "mlm+nsp"], default="mlm",
                        help="of the encoder: guess hidden words, or whether one text follows another as well (BERT); "
                        "the lesson masked_lm measures what that is worth (default: %(default)s)")
    parser.add_argument("--no-encoder", action="store_false", dest="encoder",
                        help="the GPT only: without the encoder that is pre-trained and taught a task")
    parser.add_argument("--seed", type=int, default=0, metavar="INT", help="(default: %(default)s)")


def run(args) -> int:
    """Go the whole path and show each step; the exit status."""
    started = time.perf_counter()
    job = _prepare(args, _collect(args))
    result = _train(job, args.out)
    if result.interrupted:
        print(f"stopped, and saved; go on with\n  python -m minigpt train --resume --out {shlex.quote(args.out)}")
        return 130
    _compare(job, result)
    _write(job, args)
    if args.encoder and not _encoder(args):
        return 130
    print(f"All in {time.perf_counter() - started:.0f} s. The run is in {args.out}: weights, tokenizer, metrics, "
          f"curve.png.\nLet it go on writing:\n  python -m minigpt generate --model "
          f"{shlex.quote(args.out)} --prompt \"O, \"")
    return 0


def _encoder(args):
    from minigpt.commands.demo_encoder import show_encoder
    done = show_encoder(args)
    if not done:
        print(f"     stopped; the GPT is in {args.out}, and `python -m minigpt demo` begins anew")
    return done


def _collect(args):
    from minigpt.data.corpus import load_corpus, load_text
    from minigpt.runs import refuse_other_run, require_place
    require_place(args.out)
    if args.out != OUT:
        refuse_other_run(args.out, "give another folder")
    print("1/7  Collect and clean text", flush=True)
    corpus = (load_text(args.text) if args.text is not None
              else load_corpus(args.corpus or "shakespeare", fallback=args.corpus is None))
    if corpus.note:
        print(f"     {corpus.note}")
    print(f"     {corpus.name}, split {corpus.split_how}")
    for line in str(corpus.report).splitlines():
        print(f"     {line}")
    for part in ("train", "validation", "test"):
        texts = getattr(corpus, part)
        print(f"     {part:<10} {len(texts):>6,} documents {sum(map(len, texts)):>11,} characters")
    return corpus


def _prepare(args, corpus):
    from minigpt.config import preset, recipe
    from minigpt.pretraining import new_job
    print("\n2/7  Train a tokenizer (byte-level BPE)", flush=True)
    model = checked(preset, "fast", vocab_size=args.vocab_size)
    minutes = MINUTES if args.minutes is None and args.steps is None else args.minutes
    settings = checked(recipe, "fast", minutes=minutes, steps=args.steps, seed=args.seed)
    started = time.perf_counter()
    job = new_job(corpus, model, settings, vocab_size=args.vocab_size, own_text=args.text is not None)
    characters, tokens = sum(map(len, corpus.train)), len(job.batches.ids)
    print(f"     {job.tokenizer.vocab_size:,} tokens in {time.perf_counter() - started:.1f} s: "
          f"{characters:,} characters become {tokens:,} tokens, {characters / tokens:.2f} characters each")
    return job


def _train(job, out):
    settings = job.config.train
    length = f"{settings.minutes:g} minutes" if settings.steps is None else f"{settings.steps:,} steps"
    print(f"\n3/7  Train a GPT: {job.model.n_parameters:,} parameters, {length}", flush=True)
    job.begin(out)

    def sample(model, step):
        print(f"     after {step:>5,} steps it writes: {_sample(job, 0, 24)!r}", flush=True)
    result = job.train(sample=sample)
    speed = result.tokens / result.seconds if result.seconds else 0
    print(f"     {result.tokens:,} tokens in {result.seconds:.0f} s: {speed:,.0f} tokens/s, "
          f"{_share_of_peak(job, speed):.0%} of what this machine's matrix product reaches")
    return result


def _share_of_peak(job, tokens_per_second):
    from minigpt.benchmarks.machine import matmul_peak, training_flops_per_token
    flops = training_flops_per_token(job.config.model, job.model.n_parameters)
    return tokens_per_second * flops / matmul_peak(device=job.config.device)


def _compare(job, result):
    from tqdm import tqdm

    from minigpt.baselines import char_ngram_bits, unigram_bits, xz_bits
    train, test = "\n".join(job.corpus.train), "\n".join(job.corpus.test)
    print(f"\n4/7  Compare, on the same {len(test):,} characters that none of them has seen", flush=True)
    judges = {f"this GPT, {result.seconds:.0f} s of training": lambda: _model_bits(job, test),
              "character 6-gram, Witten-Bell smoothing": lambda: char_ngram_bits(train, test),
              "xz, given the training text": lambda: xz_bits(train, test),
              "how often each character occurs": lambda: unigram_bits(train, test)}
    rows = [Row(what, *_timed(judge)) for what, judge in tqdm(judges.items(), leave=False, disable=None)]
    print(f"     {'':<40} bits/character   seconds to judge")
    for row in sorted(rows, key=lambda row: row.bits):
        print(f"     {row.what:<40} {row.bits:>14.3f} {row.seconds:>18.1f}")
    ours, rivals = rows[0], rows[1:]
    better = [row for row in rivals if row.bits <= ours.bits]
    if better:
        print(f"     Beaten by: {'; '.join(row.what for row in better)}. More --minutes help.")
    else:
        best = min(row.bits for row in rivals)
        print(f"     The GPT needs {1 - ours.bits / best:.0%} fewer bits than the best of the others.")


def _model_bits(job, test):
    from minigpt.data.batches import token_stream
    from minigpt.evaluation import bits_per_character, sliding_nats
    from minigpt.swap import implementation, use
    ids = token_stream(job.corpus.test, job.tokenizer)
    T = job.config.model.context_length
    with use(**implementation(job.config.implementation)):
        nats, _ = sliding_nats(job.model, ids, stride=max(1, T // STRIDE))
    return bits_per_character(nats, len(test))


def _timed(function):
    started = time.perf_counter()
    return function(), time.perf_counter() - started


def _write(job, args):
    print("\n5/7  Write", flush=True)
    for seed in range(1, 4):
        text = re.sub(r"\n{3,}", "\n\n", (_opening(job.corpus) + _sample(job, args.seed + seed, 80)).strip())
        print("\n".join(f"     | {line}" for line in text.splitlines()), end="\n\n")


def _sample(job, seed, tokens):
    from minigpt.swap import implementation, use
    from minigpt.writing import write
    with use(**implementation(job.config.implementation)):
        return "".join(write(job.model, job.tokenizer, _opening(job.corpus), max_new_tokens=tokens, seed=seed))


def _opening(corpus):
    """The beginning of a line in the middle of the held-out text: something to continue."""
    lines = corpus.test[0].splitlines()
    return next((" ".join(line.split()[:3]) for line in lines[len(lines) // 2:] if len(line.split()) > 3), "")
