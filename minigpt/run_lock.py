"""One process at a time writes into a run folder."""
import contextlib
import os
import pathlib
import platform

from minigpt.errors import InputError


@contextlib.contextmanager
def only_one(folder, *, new):
    """Inside, no other process may be here with the same folder. new: make the folder.

    Raises InputError if one is. Where nothing can be written there is no lock: the first checkpoint says why.
    """
    path = pathlib.Path(folder) / "lock"
    claimed = _claim(path, new)
    try:
        yield
    finally:
        if claimed:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):         # gone, if nothing came of it
                path.parent.rmdir()


def _claim(path, new):
    try:
        if new:
            path.parent.mkdir(parents=True, exist_ok=True)
        if _is_stale(path):
            path.unlink()
        with open(path, "x", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {platform.node()}")
    except FileExistsError:
        raise InputError(f"--out {path.parent}: another process trains into it now ({path.read_text('utf-8')}); wait, "
                         f"or give another folder; if there is no such process any more, delete {path}") from None
    except OSError:
        return False
    return True


def _is_stale(path):
    """Whether the process that left a lock is gone. On Windows nobody can ask without ending it."""
    with contextlib.suppress(FileNotFoundError, PermissionError, ValueError):
        number, _, computer = path.read_text("utf-8").partition(" ")
        if os.name != "nt" and computer == platform.node():
            try:
                os.kill(int(number), 0)
            except (OverflowError, ProcessLookupError):
                return True
    return False
