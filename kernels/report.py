"""What each kernel becomes on a GPU: compiled here, where there need be none.

    python -m kernels.report softmax
    rows(["softmax"])                  the same in a notebook: a dict for each configuration and architecture

Every form that launches use (`shipped()` of each module) is compiled for each architecture, and held to what it
promises: nothing spilled, matrix instructions, copies that do not wait, loads of 128 bits, blocks at once.
"""
import concurrent.futures
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import textwrap

if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "0"               # before anything imports triton

from kernels._program import HERE, Parser, Refused, chosen, modules, run
from kernels.gpus import GPUS, roofline
from kernels.machine_code import machine_code

ARCHITECTURES = ("sm_80", "sm_90")
EXAMPLES = ("python -m kernels.report", "python -m kernels.report softmax matmul --arch sm_90",
            "python -m kernels.report softmax --json")
NOTE = ("memory: all bytes that programs load and store, at the memory's bandwidth; what several programs read comes "
        "from a cache in part, and takes less. products: the FLOPs issued, at the peak. The longer is the roofline.")
COLUMNS = (                                            # heading, width, text of a row
    ("", 9, lambda row: row["arch"]),
    ("registers", 10, lambda row: row["registers"]),
    ("spilled", 11, lambda row: size(row["spill_bytes"])),
    ("shared", 11, lambda row: size(row["shared_bytes"])),
    ("matrix", 12, lambda row: " ".join(f"{n} {name}" for name, n in row["matrix_instructions"].items()) or "-"),
    ("copies", 8, lambda row: row["async_copies"]),
    ("loads", 7, lambda row: row["global_loads"]),
    ("128-bit", 9, lambda row: row["vector_loads"]),
    ("blocks", 8, lambda row: row["blocks_per_multiprocessor"]),
    ("occupancy", 11, lambda row: f"{row['occupancy']:.0%}"),
    ("memory", 11, lambda row: microseconds(row["memory_us"])),
    ("products", 11, lambda row: microseconds(row["matrix_us"])),
)


def rows(names=None, arches=ARCHITECTURES, *, first=False):
    """Compile in a process of its own, where Triton does not interpret; a list of dicts, as `--json` prints them.

    names: modules of this package (default: all that have kernels to ship). first: of each kernel its first form only.
    Raises ValueError for a name or an architecture that is not known.
    """
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "kernels.report", *(names or []), "--json", *["--first"] * first, "--arch",
               *arches]
    done = subprocess.run(command, cwd=HERE.parent, env=environment, capture_output=True, text=True)
    if done.returncode == 2:
        raise ValueError(done.stderr.strip())
    if not done.stdout:
        raise RuntimeError(f"the report ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def row(module, entry, arch):
    """One form of a kernel on one architecture: what it is, does and promises, and what the compiler made of it.

    Times are in microseconds. `error` is None, or why it does not compile; then nothing of the machine code is there.
    """
    promise = {key: bool(entry.promise.get(key)) for key in ("matrix", "copies", "vectors")}
    blocks = entry.promise.get("blocks", {}).get(int(arch.removeprefix("sm_")))
    found = {"module": module, "kernel": entry.kernel.__name__, "name": entry.name, "arch": arch,
             "gpu": GPUS[arch].name, "warps": entry.warps, "stages": entry.stages, "problem": entry.work.problem,
             "load_bytes": entry.work.loads, "store_bytes": entry.work.stores, "flops_useful": entry.work.useful,
             "flops_issued": entry.work.issued, "promise": promise | {"blocks": blocks}, "error": None}
    try:
        code = machine_code(entry, arch)
    except Exception as error:      # the compiler's are of many kinds, and the other kernels are to be seen as well
        return found | {"error": f"{type(error).__name__}: {error}"}
    memory, products = roofline(entry.work, entry.types, bool(code["matrix_instructions"]), arch)
    return found | code | {"memory_us": memory * 1e6, "matrix_us": products * 1e6,
                           "roofline_us": max(memory, products) * 1e6}


def broken(row):
    """What a row breaks of what every kernel keeps and of what this one promises: sentences, none if all is well."""
    if row["error"]:
        return [f"it does not compile: {' '.join(row['error'].split())}"]
    promise, arch = row["promise"], row["arch"]
    checks = (
        (row["spill_bytes"] == 0, f"{row['spill_bytes']} bytes a thread are spilled"),
        (row["stack_bytes"] == 0, f"a thread has {row['stack_bytes']} bytes of stack"),
        (row["local_instructions"] == 0, f"{row['local_instructions']} instructions reach local memory"),
        (row["shared_bytes"] <= row["shared_limit"],
         f"{row['shared_bytes']} bytes of shared memory are more than the {row['shared_limit']} of {arch}"),
        (bool(row["matrix_instructions"]) == promise["matrix"],
         "there are matrix instructions" if row["matrix_instructions"] else "there is no matrix instruction"),
        (row["async_copies"] > 0 or not promise["copies"] or arch == "sm_90", "no load is an asynchronous copy"),
        (row["vector_loads"] > 0 or not promise["vectors"], "no load has 128 bits"),
        (row["blocks_per_multiprocessor"] >= (promise["blocks"] or 1),
         f"{row['blocks_per_multiprocessor']} blocks run at once, not {promise['blocks'] or 1}"),
    )
    return [sentence for kept, sentence in checks if not kept]


def forms(name, first=False):
    """What a module ships; of each kernel the first form only if `first`."""
    entries = importlib.import_module(f"kernels.{name}").shipped()
    kernels = [entry.kernel for entry in entries]
    return [entry for at, entry in enumerate(entries) if not first or entry.kernel not in kernels[:at]]


def compile_all(names, arches, first=False):
    """Rows of all that the modules ship, each for all architectures; progress on stderr."""
    from tqdm import tqdm
    jobs = [(name, entry, arch) for name in names for entry in forms(name, first) for arch in arches]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:     # the compiler frees the GIL
        done = pool.map(lambda job: row(*job), jobs)
        return list(tqdm(done, "compiling", len(jobs), leave=False, disable=None))


def table(found):
    """The rows as text, at most 120 columns wide."""
    lines, before = [_line(heading for heading, _, _ in COLUMNS)], None
    for row in found:
        if (entry := (row["module"], row["kernel"], row["name"])) != before:
            lines += ["", *(line for text in _what(row) for line in textwrap.wrap(text, 120, subsequent_indent="    "))]
        before = entry
        if not row["error"]:
            lines.append(_line(text(row) for _, _, text in COLUMNS))
        for sentence in broken(row):
            lines += textwrap.wrap(f"BROKEN on {row['arch']}: {sentence}", 120, initial_indent="  ",
                                   subsequent_indent="    ")
    arches = dict.fromkeys(row["arch"] for row in found)
    lines += ["", *textwrap.wrap(NOTE, 120)]
    return "\n".join([*lines, *(f"{arch}: {_speeds(GPUS[arch])}" for arch in arches)])


def size(count):
    """Bytes, with the unit that suits."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            break
        count, unit = count / 1024, {"B": "KiB", "KiB": "MiB", "MiB": "GiB"}[unit]
    return f"{count:.4g} {unit}"


def microseconds(time):
    """A time in us, to three digits; a dash for none."""
    return f"{time:.3g} us" if 0 < time < 1000 else f"{time:,.0f} us" if time else "-"


def _line(texts):
    cells = zip(texts, (width for _, width, _ in COLUMNS), strict=True)
    return "".join(f"{text:>{width}}" for text, width in cells)


def _what(row):
    """Two lines above the numbers of a form: which it is, and what a launch of it does."""
    flops = f"{row['flops_useful'] / 1e9:.4g} GFLOP useful of {row['flops_issued'] / 1e9:.4g} issued"
    yield f"{row['module']}.{row['kernel']}, {row['name']} (warps {row['warps']}, stages {row['stages']})"
    yield (f"    {row['problem']}: {size(row['load_bytes'])} loaded, {size(row['store_bytes'])} stored, "
           f"{flops if row['flops_issued'] else 'no matrix products'}")


def _speeds(gpu):
    return (f"{gpu.name}, {gpu.bandwidth / 1e9:.0f} GB/s, {gpu.half / 1e12:.0f} TFLOP/s in 16 bits, "
            f"{gpu.tf32 / 1e12:.1f} in tf32, {gpu.single / 1e12:.1f} in fp32 (as NVIDIA states)")


def main(argv=None):
    """Print the report; the exit status: 0, 1 if a promise is broken."""
    parser = Parser("python -m kernels.report", "What each kernel becomes on a GPU; none need be here.", EXAMPLES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(modules('shipped'))} (default: all)")
    parser.add_argument("--arch", nargs="+", metavar="ARCH", default=ARCHITECTURES,
                        help=f"of {', '.join(GPUS)} (default: {' '.join(ARCHITECTURES)})")
    parser.add_argument("--first", action="store_true", help="of each kernel its first form only, which is quicker")
    parser.add_argument("--json", action="store_true", help="a list of exact numbers instead of the table")
    args = parser.parse_args(argv)
    names = chosen(args.names, modules("shipped"), "module with kernels to ship")
    arches = chosen(args.arch, list(GPUS), "architecture")
    if importlib.util.find_spec("triton") is None:
        raise Refused("Triton is not installed (it runs on Linux); pip install triton")
    found = compile_all(names, arches, args.first)
    print(json.dumps(found, indent=1) if args.json else table(found))
    return 1 if any(map(broken, found)) else 0


if __name__ == "__main__":
    sys.exit(run(main, "kernels.report"))
