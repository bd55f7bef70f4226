"""A package as its installation leaves it, without a package index."""

import shutil
import tomllib
from pathlib import Path


def install_into(folder: Path, package: Path) -> None:
    """Copy the modules of `package` into `folder`, with what its pyproject.toml declares."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    for module in package.glob("*.py"):
        shutil.copy(module, folder)
    declare(folder, project["name"], project["entry-points"])


def declare(folder: Path, name: str, groups: dict[str, dict[str, str]]) -> None:
    """Let `folder` hold a distribution with entry points."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
