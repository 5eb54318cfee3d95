"""How fast the kernels are on the GPU that is here, beside PyTorch and other public kernels.

    python -m kernels.benchmark softmax --plot softmax.png

Each time is the median of many runs, with the fifth above and below; memory is what a run needs beside its inputs.
Goals are stated in kernels/benchmark_cases.py; "1.10 of the goal" is ten per cent better than it.
"""
import json
import os
import pathlib
import sys
from collections import namedtuple

import torch

from kernels import _backend
from kernels._program import Parser, Refused, chosen, run
from kernels.benchmark_cases import BOTH, FORWARD, KERNEL, cases, known

# of one function: the median of its times, the times that a fifth of the runs stay below and above; all in seconds
Measurement = namedtuple("Measurement", "seconds low high peak_bytes")
EXAMPLES = ("python -m kernels.benchmark", "python -m kernels.benchmark softmax matmul --json > speed.json",
            "python -m kernels.benchmark attention --plot attention.png")
COPIED = 2**30                                         # bytes: far more than any cache holds
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")      # Okabe and Ito's


def measured(function):
    """The time and memory of function() on this GPU, or None if it has not the memory for it."""
    import triton.testing
    try:
        function()                                     # compiles
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        peak = torch.cuda.max_memory_allocated() - before
        median, low, high = triton.testing.do_bench(function, quantiles=[0.5, 0.2, 0.8])
    except torch.cuda.OutOfMemoryError:
        return None
    return Measurement(median / 1e3, low / 1e3, high / 1e3, peak)      # it gives milliseconds


def prepared(function, inputs, direction):
    """What is to be timed, () -> tensors: function(*inputs), or that and the gradients of floating-point inputs."""
    if direction == FORWARD:
        def forward():
            with torch.no_grad():
                return (function(*inputs),)
        return forward
    inputs = [x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
    leaves, dy = [x for x in inputs if x.requires_grad], []

    def both():
        y = function(*inputs)
        if not dy:                                     # the first run only, which is not timed
            dy.append(torch.randn(y.shape, dtype=y.dtype, device=y.device,
                                  generator=torch.Generator(y.device).manual_seed(2)))
        return y, *torch.autograd.grad(y, leaves, dy[0])
    return both


def bandwidth(measure, device, count=COPIED):
    """Bytes per second that a plain copy reads and writes."""
    source = torch.zeros(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / measure(lambda: target.copy_(source)).seconds


def records(case, measure, device, speed, capability):
    """A dict for each direction and function of a case, as `--json` prints them.

    measure: function -> Measurement or None. speed: bytes per second of memory. capability: of the GPU, (8, 0).
    """
    found = []
    for at, direction in enumerate((FORWARD, BOTH)):
        times = {}
        for name, function in case.functions.items():  # inputs are made anew: other kernels may write into theirs
            times[name] = measure(prepared(function, case.inputs(device), direction))
        for name, time in times.items():
            record = {"module": case.module, "sizes": case.sizes, "dtype": str(case.dtype).removeprefix("torch."),
                      "direction": direction, "function": name, "goals": []}
            if time:
                record |= time._asdict() | {"bytes_per_second": case.bytes[at] / time.seconds,
                                            "flops_per_second": case.flops[at] / time.seconds}
            if time and name == KERNEL:
                goals = [goal for goal in case.goals if goal.direction == direction]
                judged = [judge(goal, record, times, speed, capability) for goal in goals]
                record["goals"] = [verdict for verdict in judged if verdict]
            found.append(record)
    return found


def judge(goal, record, times, speed, capability):
    """{"goal": in words, "of_goal": 1 where it is just reached}, or None where the goal does not apply."""
    if goal.of == "bandwidth":
        words, of_goal = f"{goal.at_least:.0%} of bandwidth", record["bytes_per_second"] / speed / goal.at_least
    elif goal.of == "TFLOP/s":
        if capability not in goal.at_least:
            return None
        words = f"{goal.at_least[capability]} TFLOP/s"
        of_goal = record["flops_per_second"] / 1e12 / goal.at_least[capability]
    else:
        rival = next((name for name in goal.of if times.get(name)), None)
        if rival is None:
            return None
        words = f"{goal.at_least:g}x {rival}"
        of_goal = times[rival].seconds / record["seconds"] / goal.at_least
    return {"goal": words, "of_goal": of_goal}


def table(found):
    """The records as text, at most 120 columns wide."""
    lines, before = [], None
    for record in found:
        if (case := (record["module"], record["dtype"], record["sizes"])) != before:
            lines += ["", ", ".join(case)]
        before = case
        lines.append(f"  {record['direction']:<19}{record['function']:<22}{_numbers(record)}")
        lines += [f"{'goal':>23} {goal['goal']}: {goal['of_goal']:.2f} of it" for goal in record["goals"]]
    return "\n".join(lines[1:])


def _numbers(record):
    if "seconds" not in record:
        return "out of memory"
    low, median, high = (record[name] * 1e6 for name in ("low", "seconds", "high"))
    return (f"{median:>12,.1f} us {f'({low:,.1f} to {high:,.1f})':>24}{_speed(record):>16}"
            f"{record['peak_bytes'] / 2**20:>12,.1f} MiB")


def _speed(record):
    """TFLOP/s of what multiplies matrices, GB/s of the rest."""
    if record["flops_per_second"]:
        return f"{record['flops_per_second'] / 1e12:.1f} TFLOP/s"
    return f"{record['bytes_per_second'] / 1e9:,.0f} GB/s"


def plot(found, path, device_name):
    """Draw the speeds in the first data type, a panel for each kernel and direction; a PNG, whole or not at all."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle
    dtype = found[0]["dtype"]
    shown = [record for record in found if record["dtype"] == dtype]
    names = list(dict.fromkeys(record["function"] for record in shown))
    panels = {}
    for record in shown:
        panels.setdefault(record["module"], {}).setdefault(record["direction"], []).append(record)
    heights = [1 + 0.2 * len(directions[FORWARD]) for directions in panels.values()]
    fig = Figure(figsize=(12, sum(heights)), layout="constrained")
    axes = fig.subplots(len(panels), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, (module, directions) in zip(axes, panels.items(), strict=True):
        for ax, (direction, of_panel) in zip(row, directions.items(), strict=True):
            ax.set_title(f"{module}, {direction}, {dtype}")
            _bars(ax, of_panel, names)
    fig.legend([Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS[:len(names)]], names, ncols=len(names),
               loc="outside lower center")
    fig.suptitle(device_name)
    part = pathlib.Path(path).with_name(f".{pathlib.Path(path).name}.{os.getpid()}")
    try:
        fig.savefig(part, format="png", dpi=110)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _bars(ax, found, names):
    """One bar for each record; those of one problem stand together."""
    problems = list(dict.fromkeys(record["sizes"] for record in found))
    unit = "flops_per_second" if any(record.get("flops_per_second") for record in found) else "bytes_per_second"
    for record in found:
        place = names.index(record["function"])
        ax.barh(problems.index(record["sizes"]) + 0.8 * (place + 0.5) / len(names) - 0.4,
                record.get(unit, 0) / (1e12 if unit == "flops_per_second" else 1e9), 0.8 / len(names),
                color=COLOURS[place])
    ax.set_yticks(range(len(problems)), problems)
    ax.set_ylim(len(problems) - 0.5, -0.5)             # the first on top
    ax.set_xlabel("TFLOP/s" if unit == "flops_per_second" else "GB/s")


def main(argv=None):
    """Measure, and print a table; the exit status."""
    parser = Parser("python -m kernels.benchmark", "How fast the kernels are on this GPU.", EXAMPLES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known())} (default: all)")
    parser.add_argument("--json", action="store_true", help="a list of exact numbers instead of the table")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="draw the speeds into a PNG file as well")
    args = parser.parse_args(argv)
    names = chosen(args.names, known(), "kernel")
    if args.plot and not args.plot.absolute().parent.is_dir():
        raise Refused(f"--plot {args.plot}: there is no folder {args.plot.parent}; make it first")
    if not torch.cuda.is_available():
        raise Refused("PyTorch finds no GPU here; on a machine with one (and PyTorch built for it): "
                      "pip install triton, then python -m kernels.benchmark")
    if _backend.INTERPRETED:
        raise Refused("TRITON_INTERPRET=1 is set, and an interpreted kernel says nothing about speed; unset it")
    return measure_all(names, args)


def measure_all(names, args, measure=measured, device="cuda", **problems):
    """Measure every case of the named kernels on a device, and print; the exit status."""
    from tqdm import tqdm
    on_gpu = device == "cuda"
    name = torch.cuda.get_device_name() if on_gpu else device
    capability = torch.cuda.get_device_capability() if on_gpu else None
    speed = bandwidth(measure, device, COPIED if on_gpu else 2**10)
    found = [record for case in tqdm(cases(names, **problems), "measuring", leave=False, disable=None)
             for record in records(case, measure, device, speed, capability)]
    if args.plot:
        plot(found, args.plot, name)
    text = f"{name}: a copy moves {speed / 1e9:,.0f} GB/s\n\n{table(found)}"
    print(json.dumps(found, indent=1) if args.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(run(main, "kernels.benchmark"))
