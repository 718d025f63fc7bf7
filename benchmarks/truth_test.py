"""The truth test: do the flags find the lesions that a network removed?

    python benchmarks/truth_test.py                  # measures what is missing, then the table
    python benchmarks/truth_test.py abdomen chest    # only measures these

Phantom patients with and without lesions, denoised by every shipped network and by those that
hallucinate on purpose. A lesion counts as removed if the network's answer to it, under the same
noise, is less than half of its contrast. Each patient's records are kept in build/truth_test.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from _table import record
from _truth import Case
from _truth_table import rows_of, told

from ldctlib.denoisers import available, load
from ldctlib.denoisers.weights import shipped_weights, variants
from ldctlib.files import write_text

BUILD = Path("build/truth_test")
CASES = {
    "abdomen": [(seed, 0.10) for seed in range(8)] + [(seed, 0.03) for seed in range(4)],
    "chest": [(seed, 0.10) for seed in range(5)],
    "head": [(seed, 0.10) for seed in range(5)],
}


def networks() -> list[tuple[str, str]]:
    """Method and weights of every network that comes with the library."""
    found = []
    for method in available():
        try:
            shipped_weights(method)
        except FileNotFoundError:
            continue
        found += [(method, "shipped"), *((method, name) for name in variants(method))]
    return found


def measure(anatomy: str, seed: int, dose: float) -> None:
    """The records of one patient at one dose, for the networks that have none yet."""
    path = BUILD / f"{anatomy}-{seed}-{dose:g}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    missing = [n for n in networks() if ", ".join(n) not in known]
    if not missing:
        return
    case = Case(anatomy, seed, dose)
    for method, weights in missing:
        denoiser = load(method, weights, "cpu")
        known[f"{method}, {weights}"] = list(case.records(denoiser))
    write_text(path, json.dumps(known))
    print(path.stem, len(case.lesions), "lesions,", sum(map(bool, case.best)), "found", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("anatomies", nargs="*", choices=[*CASES, []])
    chosen = parser.parse_args().anatomies
    for anatomy in chosen or CASES:
        for seed, dose in CASES[anatomy]:
            measure(anatomy, seed, dose)
    if chosen:
        return
    records = []
    for anatomy, cases in CASES.items():
        for seed, dose in cases:
            of = {"anatomy": anatomy, "patient": f"{anatomy}-{seed}", "dose": dose}
            for network, some in json.loads(
                (BUILD / f"{anatomy}-{seed}-{dose:g}.json").read_text()
            ).items():
                records += [{**of, "network": network, **r} for r in some]
    for name, rows, note in rows_of(records):
        note = f"{note} {told(records)}" if name == "truth_test" else note
        record(name, rows, "python benchmarks/truth_test.py", note=note)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
