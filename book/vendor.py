"""Scripts that pages would otherwise load from other hosts: MathJax, and what widgets need.

They are packed by npm at build time, checked against the hashes below and kept in ``build/vendor``.
Where npm cannot do it, one line says so and the pages link to a public network instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ldctlib.files import replacing


@dataclass(frozen=True)
class Package:
    """One npm package at one version, and the files of it that pages load."""

    spec: str
    sha256: str
    folder: str
    wanted: tuple[str, ...]
    drop: str = "package/"

    @property
    def tarball(self) -> str:
        """The file name that ``npm pack`` gives it."""
        name, version = self.spec.rsplit("@", 1)
        return f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"


PACKAGES = (
    Package(
        "mathjax@3.2.2",
        "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
        "mathjax",
        ("tex-mml-chtml.js", "output/chtml/fonts/", "input/tex/extensions/", "a11y/", "sre/"),
        drop="package/es5/",
    ),
    Package(
        "requirejs@2.3.8",
        "777158e89275e16bd51aec3ef714fbcb5dc45789e7078659933bc814916d7dec",
        "requirejs",
        ("require.js",),
    ),
    Package(
        "@jupyter-widgets/html-manager@1.0.15",
        "2b9d65cb7913e1c7d671757a10008b32c9c2448d4429513371e55c07d6107638",
        "@jupyter-widgets/html-manager",
        ("dist/embed-amd.js", "dist/*.woff2", "dist/*.woff", "dist/*.ttf"),
    ),
)

LOADER = Path(__file__).parent / "vendor-loader.js"


class Unavailable(RuntimeError):
    """The packages cannot be had here; the message says why."""


def pack(package: Package, folder: Path) -> Path:
    """The package's tarball, from ``folder`` or by npm, with its hash checked either way."""
    tarball = folder / package.tarball
    if not tarball.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("npm is not installed")
        with replacing(tarball) as packed:
            command = [npm, "pack", package.spec, "--silent", "--pack-destination"]
            command.append(str(packed.parent))
            done = subprocess.run(command, capture_output=True, text=True, timeout=180)
            if done.returncode or not packed.exists():
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise Unavailable(f"npm could not pack {package.spec} ({last})")
    found = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if found != package.sha256:
        tarball.unlink()
        raise RuntimeError(f"{package.spec} has sha256 {found}, not the expected {package.sha256}.")
    return tarball


def wanted(package: Package, name: str) -> str | None:
    """Where a tarball's member goes below the package's folder, or None if no page loads it."""
    if not name.startswith(package.drop):
        return None
    path = name.removeprefix(package.drop)
    for pattern in package.wanted:
        if Path(path).match(pattern) or (pattern.endswith("/") and path.startswith(pattern)):
            return path
    return None


def unpack(package: Package, tarball: Path, target: Path) -> None:
    """Write the wanted files of a tarball below ``target``."""
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            path = wanted(package, member.name) if member.isfile() else None
            if path is None or ".." in Path(path).parts:
                continue
            file = target / package.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            extracted = archive.extractfile(member)
            assert extracted is not None
            file.write_bytes(extracted.read())


def fetch(build: Path) -> Path | None:
    """A folder for `html_extra_path` with all scripts in it, or None where npm cannot help."""
    tarballs, site = build / "vendor" / "tarballs", build / "vendor" / "site"
    tarballs.mkdir(parents=True, exist_ok=True)
    stamp, inputs = site / ".complete", "".join(p.sha256 for p in PACKAGES) + LOADER.read_text()
    state = hashlib.sha256(inputs.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        return site
    try:
        packed = [pack(package, tarballs) for package in PACKAGES]
    except (Unavailable, subprocess.TimeoutExpired) as problem:
        print(f"  {problem}: formulas and widgets will be loaded from a public network.")
        return None
    shutil.rmtree(site, ignore_errors=True)
    target = site / "_static" / "vendor"
    for package, tarball in zip(PACKAGES, packed, strict=True):
        unpack(package, tarball, target)
    spec = importlib.util.find_spec("anywidget")
    assert spec is not None
    assert spec.origin is not None
    shutil.copy(Path(spec.origin).parent / "nbextension" / "index.js", target / "anywidget.js")
    shutil.copy(LOADER, target / "loader.js")
    stamp.write_text(state)
    return site


def sphinx_options(site: Path | None) -> dict:
    """What Sphinx must know to load the scripts from the site itself."""
    if site is None:
        return {}
    return {
        "html_extra_path": [str(site)],
        "mathjax_path": "vendor/mathjax/tex-mml-chtml.js",
        "nb_ipywidgets_js": {"vendor/requirejs/require.js": {}, "vendor/loader.js": {}},
    }
