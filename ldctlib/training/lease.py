"""Whether work that another process began is still being done, as told by a file."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

BEAT_S = 10.0
# A file that nobody has touched for this long belongs to a process that is gone.
GRACE_S = 90.0
WAIT_S = 1.0


class Lease:
    """A file that is touched every few seconds for as long as its owner lives.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "work"
    >>> with Lease(path):
    ...     held(path)
    True
    >>> held(path)
    False
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done = threading.Event()

    def __enter__(self) -> Lease:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("x") as file:
            file.write(f"{platform.node()} {os.getpid()}")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_S):
            os.utime(self.path)


def held(path: Path) -> bool:
    """Whether the owner of a `Lease` is alive: known at once on its machine, else by its beats."""
    try:
        node, pid = path.read_text().split()
        touched = path.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return False
    if node == platform.node() and os.name == "posix" and not _runs(int(pid)):
        return False
    # Both times come from the clock of the disk: those of two machines may differ.
    now = path.with_name(f".{path.name}.{os.getpid()}.now")
    now.touch()
    try:
        return now.stat().st_mtime - touched < GRACE_S
    finally:
        now.unlink()


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait until nobody holds the lease, then hold it."""
    with ExitStack() as stack:
        while True:
            if not held(path):
                path.unlink(missing_ok=True)
                with suppress(FileExistsError):
                    stack.enter_context(Lease(path))
                    break
            time.sleep(WAIT_S)
        yield


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
