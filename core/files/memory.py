"""How much memory data may take; what is larger lies in a file, and is read as it is asked for."""

import os
from contextlib import suppress
from pathlib import Path

_SHARE = 4  # data take at most a quarter of what is free
_GUESS = 2**33  # bytes, where no system says
_LIMIT, _USED = "memory.max", "memory.current"  # of a container


def room_in_memory() -> int:
    """Bytes that data may take: a quarter of what is free, in a container of what it may have."""
    return min(_free(), _free_in_container()) // _SHARE


def _free() -> int:
    with suppress(OSError, ValueError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    with suppress(AttributeError, OSError, ValueError):  # macOS
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return _GUESS


def _free_in_container() -> int:
    folder = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):  # none, or no limit
        limit = int((folder / _LIMIT).read_text())
        return max(0, limit - int((folder / _USED).read_text()))
    return 2**63
