"""What every benchmark script shares: the machine it ran on, and a place for its rows."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import torch

from ldctlib.files import write_text

RESULTS = Path(__file__).with_name("results")


def machine(device: str = "cpu") -> dict[str, str | int]:
    """The processor, cores and versions behind a measurement."""
    described: dict[str, str | int] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
    }
    if device.startswith("cuda"):
        described["gpu"] = torch.cuda.get_device_name(device)
    return described


def record(
    name: str,
    rows: list[dict],
    command: str | None = None,
    *,
    note: str = "",
    device: str = "cpu",
) -> Path:
    """Print the rows of one benchmark and keep them in ``results/<name>.json``.

    Args:
        name: of the file, e.g. "sampler".
        rows: one dict a line of the table, column name to text or number.
        command: what to type to repeat it; from ``sys.argv`` if None.
        note: one or two sentences: what was compared, under which conditions.
        device: "cpu", "cuda", …

    Returns:
        The file that was written.
    """
    if not rows:
        raise ValueError(f"The benchmark {name!r} measured nothing: there are no rows to record.")
    result = {
        "name": name,
        "machine": machine(device),
        "command": command or f"python benchmarks/{Path(sys.argv[0]).name}",
        "note": note,
        "rows": rows,
    }
    path = RESULTS / f"{name}.json"
    write_text(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(as_markdown(rows))
    return path


def as_markdown(rows: list[dict]) -> str:
    """The rows as a table; a column exists if any row has it.

    >>> print(as_markdown([{"what": "ours", "ms": 1.25}, {"what": "theirs", "ms": 12.5}]))
    | what | ms |
    |---|---:|
    | ours | 1.25 |
    | theirs | 12.5 |
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    right = [all(isinstance(r.get(c, 0), int | float) for r in rows) for c in columns]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join("---:" if numeric else "---" for numeric in right) + "|",
    ]
    lines += ["| " + " | ".join(_cell(row.get(c, "")) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "\\|")


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = dict(tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line)
    model = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts:
        model += f", family {facts['cpu family']} model {facts['model']}"
    if "avx512_bf16" in facts.get("flags", ""):
        model += ", avx512_bf16"
    return model
