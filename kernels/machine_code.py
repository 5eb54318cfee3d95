"""The machine code of a kernel, compiled for a GPU that need not be there: registers, spills and instructions.

Triton must not be interpreting: TRITON_INTERPRET is unset or 0 before it is imported.
"""
import collections
import pathlib
import re
import subprocess
import tempfile

from kernels.gpus import blocks_per_multiprocessor, occupancy, shared_limit

INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w*(?:\.\w+)*)", re.MULTILINE)
COPIES = ("LDGSTS", "UBLKCP", "UTMALDG")       # from memory to shared memory, while the program goes on


def machine_code(entry, arch):
    """Compile a Shipped for an architecture such as "sm_80"; a dict of what the machine code says.

    registers: of a thread. stack_bytes, spill_bytes (stored and loaded again): of a thread; local_instructions: loads
    and stores of those. shared_bytes, shared_limit: of a block. matrix_instructions: {name: how many}. async_copies,
    global_loads, vector_loads: how many instructions; the last are loads and copies of 128 bits.
    blocks_per_multiprocessor, occupancy: as in kernels.gpus. Raises ValueError if the entry does not fit its kernel.
    """
    kernel = _compiled(entry, arch)
    with tempfile.TemporaryDirectory() as folder:
        binary, source = pathlib.Path(folder, "kernel.cubin"), pathlib.Path(folder, "kernel.ptx")
        binary.write_bytes(kernel.asm["cubin"])
        source.write_text(kernel.asm["ptx"], encoding="utf-8")
        usage = _tool("cuobjdump", "-res-usage", binary)
        found = instructions(_listing(binary, kernel.hash))
        registers, stack = (int(re.search(rf"\b{word}:(\d+)", usage)[1]) for word in ("REG", "STACK"))
        spills = _spill_bytes(source, arch) if stack or found["local_instructions"] else 0
    shared, warps = kernel.metadata.shared, kernel.metadata.num_warps
    blocks = blocks_per_multiprocessor(registers, shared, warps, arch)
    return {"registers": registers, "stack_bytes": stack, "spill_bytes": spills, "shared_bytes": shared,
            "shared_limit": shared_limit(arch), "blocks_per_multiprocessor": blocks,
            "occupancy": occupancy(blocks, warps, arch)} | found


def instructions(listing):
    """Count the instructions of a disassembled kernel, as machine_code names them.

    HFMA2.MMA is ordinary arithmetic; LDGSTS is a copy and no load.
    """
    names = collections.Counter(name for name in INSTRUCTION.findall(listing))
    if not names:
        raise ValueError("the listing has no instruction")
    heads = collections.Counter()
    for name, count in names.items():
        heads[name.partition(".")[0]] += count
    vectors = sum(count for name, count in names.items() if re.match(r"LDG(STS)?\.(.*\.)?128\b", name))
    return {"matrix_instructions": {head: count for head, count in heads.items() if re.fullmatch("[A-Z]G?MMA", head)},
            "async_copies": sum(heads[head] for head in COPIES), "global_loads": heads["LDG"],
            "vector_loads": vectors, "local_instructions": heads["LDL"] + heads["STL"]}


def _compiled(entry, arch):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    names = entry.kernel.arg_names
    for name in [*entry.constants, *entry.aligned]:    # types may serve several kernels of a module
        if name not in names:
            raise ValueError(f"{entry.kernel.__name__} has no argument {name!r}; it has {', '.join(names)}")
    types = {name: "constexpr" if name in entry.constants else entry.types.get(name, "i32") for name in names}
    multiple = [["tt.divisibility", 16]]               # what a launch finds out from its arguments
    attributes = {(at,): multiple for at, name in enumerate(names)
                  if types[name].startswith("*") or (name in entry.aligned and name not in entry.constants)}
    constants = {(names.index(name),): value for name, value in entry.constants.items()}
    source = ASTSource(entry.kernel, signature=types, constexprs=constants, attrs=attributes)
    return triton.compile(source, target=GPUTarget("cuda", int(arch.removeprefix("sm_")), 32),
                          options={"num_warps": entry.warps, "num_stages": entry.stages})


def _listing(binary, key):
    """The disassembled kernel; kept in Triton's cache beside it, since that takes as long as compiling."""
    from triton.runtime.cache import get_cache_manager
    cache = get_cache_manager(key)
    if not (path := cache.get_file("kernel.sass")):
        path = cache.put(_tool("nvdisasm", "-ndf", "-c", binary), "kernel.sass")
    return pathlib.Path(path).read_text(encoding="utf-8")


def _spill_bytes(source, arch):
    """Bytes that a thread stores and loads again for want of registers, as the assembler tells them."""
    target = arch + "a" * (arch == "sm_90")            # as Triton assembles it: with Hopper's matrix instructions
    log = _tool("ptxas", "-v", "--regAllocOptLevel=2", f"--gpu-name={target}", source, "-o",
                source.with_suffix(".again"))
    return sum(int(count) for count in re.findall(r"(\d+) bytes spill (?:stores|loads)", log))


def _tool(name, *arguments):
    """What one of the CUDA tools that come with Triton prints."""
    from triton import knobs
    done = subprocess.run([getattr(knobs.nvidia, name).path, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
    return done.stdout + done.stderr
