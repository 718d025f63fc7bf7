"""What the project says about its environment in several places must agree."""

import re
import sys
from pathlib import Path

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def requirement(line):
    """Name in lower case and version limits of a requirement line."""
    name, limits = re.fullmatch(r"([A-Za-z0-9_.-]+?)(?:\[.*\])?([<>=!~].*)?", line).groups()
    return name.lower(), limits or ""


def test_conda_environment_holds_what_a_notebook_user_needs():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [e for e in entries if isinstance(e, str)]
    by_pip = next(e["pip"] for e in entries if isinstance(e, dict))
    found = dict(requirement(e) for e in plain + by_pip if not e.startswith("-"))
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["notebooks"]
    for name, limits in map(requirement, wanted):
        conda = CONDA_NAMES.get(name, name)
        assert found.pop(conda, None) == limits, f"{conda}{limits} in environment.yml"
    assert set(found) == {"python", "pip", "pyradiomics"}


def test_every_dependency_is_pinned():
    pinned = {
        requirement(line.split(" ;")[0])[0]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    extras = PROJECT["optional-dependencies"].values()
    wanted = PROJECT["dependencies"] + [line for extra in extras for line in extra]
    names = {requirement(line.split(";")[0].strip())[0] for line in wanted} - {"ldctlib"}
    assert {n.replace("_", "-") for n in names} <= {n.replace("_", "-") for n in pinned}


def test_version_is_the_same_everywhere():
    import ldctlib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert ldctlib.__version__ == PROJECT["version"] == str(citation["version"])
