"""Write benchmarks/README.md from everything in benchmarks/results/."""

from __future__ import annotations

import json
from pathlib import Path

from _table import RESULTS, as_markdown

from ldctlib.files import write_text

HEAD = """# Benchmarks

Every claim of speed, measured: each script compares both sides in one run on one machine and keeps
its rows in `results/`. This page is written by `python benchmarks/table.py`.

The scripts need `pip install -e ".[benchmarks]"`; real scans are downloaded once, or read from
`LDCTLIB_DATA_DIR`. Times depend on the machine, so read the ratios.
"""


def section(result: dict) -> str:
    machine = dict(result["machine"])
    where = f"{machine.pop('cpu')}, {machine.pop('cores')} cores"
    where += "".join(f", {name} {value}" for name, value in machine.items())
    parts = [f"## {result['name']}", result.get("note", ""), as_markdown(result["rows"])]
    parts.append(f"`{result['command']}` on {where}.")
    return "\n\n".join(part for part in parts if part)


def main() -> None:
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    page = "\n\n".join([HEAD.strip(), *map(section, results)]) + "\n"
    write_text(Path(__file__).with_name("README.md"), page)
    print(f"{len(results)} results -> benchmarks/README.md")


if __name__ == "__main__":
    main()
