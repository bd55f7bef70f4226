"""The command line: words and pictures around `dlcc.core`."""

from dlcc.cli.app import main

__all__ = ["main"]
