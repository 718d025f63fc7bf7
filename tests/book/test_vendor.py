import hashlib
import io
import tarfile

import pytest
import vendor


@pytest.fixture
def package(tmp_path):
    """A package whose tarball lies ready in ``tmp_path``."""
    files = {"package/a.js": b"a", "package/dist/b.woff2": b"b", "package/../evil.js": b"e"}
    with tarfile.open(tmp_path / "scope-thing-1.0.tgz", "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    digest = hashlib.sha256((tmp_path / "scope-thing-1.0.tgz").read_bytes()).hexdigest()
    return vendor.Package("@scope/thing@1.0", digest, "thing", ("a.js", "dist/*.woff2", "*.js"))


def test_a_tarball_at_hand_is_checked_and_unpacked(package, tmp_path):
    vendor.unpack(package, vendor.pack(package, tmp_path), tmp_path / "out")
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("out/**/*.*"))
    assert found == ["thing/a.js", "thing/dist/b.woff2"]


def test_a_wrong_tarball_is_refused_and_removed(package, tmp_path):
    (tmp_path / package.tarball).write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="not the expected"):
        vendor.pack(package, tmp_path)
    assert not (tmp_path / package.tarball).exists()


def test_without_npm_one_line_says_so_and_links_are_used(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    assert vendor.fetch(tmp_path) is None
    said = capsys.readouterr().out
    assert "npm is not installed" in said
    assert said.count("\n") == 1
    assert vendor.sphinx_options(None) == {}


def test_with_npm_failing_the_reason_is_said(monkeypatch, tmp_path, capsys):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no network here' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(vendor.shutil, "which", lambda name: str(npm))
    assert vendor.fetch(tmp_path) is None
    assert "no network here" in capsys.readouterr().out


def test_only_what_pages_load_is_kept():
    mathjax = vendor.PACKAGES[0]
    assert vendor.wanted(mathjax, "package/es5/tex-mml-chtml.js") == "tex-mml-chtml.js"
    assert vendor.wanted(mathjax, "package/es5/output/chtml/fonts/woff-v2/x.woff")
    assert vendor.wanted(mathjax, "package/es5/tex-svg.js") is None
    assert vendor.wanted(mathjax, "package/README.md") is None
