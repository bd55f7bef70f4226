"""Fixtures for all tests: a home of their own, and the command line run in this process."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

# The tests' tensors are tiny, and two processes that share two cores wait for each other's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True)
class Result:
    """What one run of the command line left."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True, scope="session")
def _home_of_what_tests_share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DLCC_HOME", str(tmp_path_factory.mktemp("shared-home")))
        yield


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCC_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_dlcc(tmp_path: Path) -> Callable[..., Result]:
    """Run `dlcc ARGS` in this process; anything but an exit code is an error of the test."""
    from dlcc.cli.app import app

    def run(*args: object, input: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(app, [str(arg) for arg in args], input=input, prog_name="dlcc")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return run
