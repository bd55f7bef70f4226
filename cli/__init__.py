"""The command line: words and pictures around `dlcc.core`."""

import _thread
import sys
import threading
from typing import Any


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported is no traceback either."""
    sys.unraisablehook = _not_ignored
    try:
        from dlcc.cli.app import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _not_ignored(unraisable: Any) -> None:
    """Python drops a Ctrl-C that comes within a callback of its own: it comes again."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)
