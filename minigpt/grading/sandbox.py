"""Starting a process for code that nobody trusts: limited, without privileges, and in a container where there is one.

Inside bubblewrap (the program bwrap) it sees Python, NumPy and what else is installed, this package and the student's
files, all read-only, a small folder for scratch, and neither a network nor other processes. Contracts, mistakes,
solutions and expected values are not there. A network namespace alone would leave the files open.
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from dataclasses import asdict, dataclass

from minigpt.listing import ROOT

HERE = pathlib.Path(__file__).parent
FIRST_UID = 61_000                                     # where root grades: a user of its own for each process
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
               "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TRITON_INTERPRET": "1"}
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives")
SCRATCH = 64 << 20                                     # bytes of files that the code may write
PROBE = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")

Process = namedtuple("Process", "popen channel")       # channel: a socket; popen.stdout: what the code prints


@dataclass(frozen=True)
class Limits:
    """What a student's process may use."""
    cpu: int = 60                       # seconds
    memory: int = 4 << 30               # bytes of addresses: PyTorch alone takes half of it
    processes: int = 32                 # threads count too
    file_size: int = 16 << 20           # bytes
    files: int = 64                     # open at a time


@functools.cache
def not_contained():
    """Why student code cannot be contained on this machine, in a few words; "" if it can."""
    if sys.platform != "linux":
        return "containment needs Linux"
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    tried = subprocess.run(["bwrap", *PROBE, *_namespaces(), "true"], capture_output=True, text=True, timeout=30)
    return "" if tried.returncode == 0 else f"bubblewrap does not work here: {tried.stderr.strip()[:200]}"


def not_readable():
    """A folder of Python or of this package that the user whom root changes to cannot look into; "" if none is."""
    if os.getuid() != 0:
        return ""
    places = [pathlib.Path(place).resolve() for place in (sys.prefix, sys.base_prefix, ROOT)]
    return next((str(at) for place in places for at in (place, *place.parents) if not at.stat().st_mode & 0o001), "")


def start(folder, limits=None, *, contained=True, number=0):
    """Start the process of a folder with a student's files (submission*.py). Returns a Process.

    number: tells apart processes that run at the same time. It leads a group, which `stop` ends as a whole.
    """
    ours, theirs = socket.socketpair()
    files = sorted(path.name for path in pathlib.Path(folder).glob("submission*.py"))
    shown, package, code = ("/submission", "/package", "/judge") if contained else (folder, ROOT, HERE)
    settings = {"channel": theirs.fileno(), "limits": asdict(limits or Limits()),
                "uid": FIRST_UID + number if os.getuid() == 0 else None,
                "files": [f"{shown}/{name}" for name in files], "package": str(package),
                "folder": "/tmp" if contained else str(folder)}
    command = [sys.executable, "-P", "-s", "-B", f"{code}/student.py", json.dumps(settings)]
    popen = subprocess.Popen(
        [*(_container(folder) if contained else []), *command], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
        pass_fds=[theirs.fileno()])
    theirs.close()
    return Process(popen, ours)


def stop(process):
    """End it, and all that it has started and that can be found."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, signal.SIGKILL)
    process.popen.wait()
    process.channel.close()


def _container(folder):
    """The beginning of a command that runs the rest of it inside bubblewrap."""
    prefixes = {sys.prefix, sys.base_prefix, str(pathlib.Path(sys.prefix).resolve())}
    binds = {place: place for place in [*SYSTEM, *sorted(prefixes, key=len)] if pathlib.Path(place).exists()}
    binds |= {f"/package/{name}": ROOT / name for name in ("minigpt", "kernels")}
    binds |= {f"/judge/{name}.py": HERE / f"{name}.py" for name in ("student", "frames", "withheld")}
    binds |= {"/submission": folder}
    above = {str(parent): None for place in binds for parent in reversed(pathlib.Path(place).parents)}
    words = [word for place in above for word in ("--dir", place)]         # or only root could look into them
    words += [word for place, source in binds.items() for word in ("--ro-bind", str(source), place)]
    scratch = ("--size", str(SCRATCH), "--perms", "1777", "--tmpfs", "/tmp")
    return ["bwrap", *_namespaces(), "--die-with-parent", "--new-session", *scratch, *words, "--dev", "/dev", "--proc",
            "/proc"]                                   # scratch comes first, or it would hide a Python that is in /tmp


def _namespaces():
    """As root the user is changed inside, which needs two privileges until then; else a namespace of users is made."""
    if os.getuid() == 0:
        users = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        users = ["--unshare-user"]
    return [*users, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
