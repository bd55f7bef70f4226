"""The arrows of the house run one way, and nothing heavy is loaded before it is needed."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from importlinter.cli import lint_imports

from dlcc.core.trace.trace import AttentionTrace, save_traces

ROOT = Path(__file__).parent.parent


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_imports_keep_to_the_contracts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in pyproject.toml."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])  # it adds to it
    broken = lint_imports(no_cache=True)
    assert not broken, capsys.readouterr().out


def test_assets_are_data() -> None:
    imported = imports_of(ROOT / "assets" / "__init__.py")
    assert not {module for module in imported if module.startswith("dlcc")}


def test_there_is_no_circle_of_imports() -> None:
    """Not even of late ones, or of those that only types need."""
    modules = {
        "dlcc." + ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for top in ("cli", "core")
        for path in (ROOT / top).rglob("*.py")
    }
    graph = {name: (imports_of(path) & set(modules)) - {name} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=str)
def test_core_names_settings_and_no_options(path: Path) -> None:
    assert not re.findall(r"--[a-z][a-z-]*", path.read_text())


def test_packages_are_the_folders_on_disk() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    on_disk = {
        "dlcc." + ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("cli", "core", "assets")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert listed == on_disk


def modules_loaded_by(*arguments: str) -> set[str]:
    script = (
        "import sys\n"
        "from dlcc.cli.app import app\n"
        f"try: app({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["attend", "--help"], ["look", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert not modules_loaded_by(*arguments) & {"torch", "textual", "numpy", "torchvision"}


def test_attention_on_sentences_loads_no_torch() -> None:
    assert not modules_loaded_by("attend", "--json") & {"torch", "textual", "torchvision"}


def test_sources_are_known_without_their_models() -> None:
    script = (
        "import sys\n"
        "from dlcc.core import sources\n"
        "names = sources.names()\n"
        "assert not [name for name in sys.modules if name.endswith('.source')]\n"
        "assert all(sources.source(name).title for name in names)\n"
        "print(*names, 'torch' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "attend hf sentiment translate vit False\n"


@pytest.mark.parametrize("arguments", [["translate", "Hello."], ["sentiment", "A fine film."]])
def test_an_answer_loads_no_more_of_torch_than_it_needs(arguments: list[str]) -> None:
    """What compiles and what spreads over machines takes as long to load as all the rest."""
    assert not modules_loaded_by(*arguments) & {"torch._dynamo", "torch.distributed.fsdp", "sympy"}


def test_a_saved_trace_opens_without_torch(tmp_path: Path) -> None:
    weights = np.full((1, 1, 2, 2), 0.5, np.float32)
    save_traces(tmp_path / "saved.trace", [AttentionTrace(weights, ("a", "b"), ("c", "d"))])
    loaded = modules_loaded_by("view", str(tmp_path / "saved.trace"))
    assert not loaded & {"torch", "torchvision"}
