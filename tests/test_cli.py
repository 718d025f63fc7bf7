"""The command line: what it writes, and one sentence for every mistake."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ldctlib
from ldctlib import cli
from ldctlib.denoisers import ImageNetwork, load, network, write_weights
from ldctlib.scans import open_scan, write_dicom
from ldctlib.scans.write_volume import write_volume
from ldctlib.units import Normalization


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "cnn10.safetensors"
    state = network("cnn10", seed=1).state_dict()
    write_weights(path, "cnn10", state, normalization=Normalization.benchmark())
    return path


FINE = (5.0, 1.4, 1.4)  # mm: pixels that show the sharpness of a kernel


@pytest.fixture(scope="module")
def scan():
    return open_scan("phantom-chest", shape=(3, 48, 48), seed=4)


def expected(scan, weights):
    return load("cnn10", weights=weights, device="cpu").denoise_image(scan.hu)


def mistake(capsys, *arguments):
    """The sentence of a command that fails."""
    try:
        code = cli.main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    return err


@pytest.mark.parametrize("ending", [".nii.gz", ".mha"])
def test_denoise_a_volume(tmp_path, scan, weights, ending, capsys):
    source, target = tmp_path / f"in{ending}", tmp_path / "new" / f"out{ending}"
    write_volume(scan, source)
    command = ["denoise", source, target, "--method", "cnn10", "--weights", weights]
    assert cli.main([str(c) for c in command]) == 0
    assert "3 slices" in capsys.readouterr().out
    result = open_scan(target)
    np.testing.assert_allclose(result.hu, np.maximum(expected(scan, weights), -1024), atol=1e-3)
    np.testing.assert_allclose(result.spacing_mm, scan.spacing_mm, rtol=1e-5)
    np.testing.assert_allclose(result.z_mm, scan.z_mm, atol=1e-3)
    assert [p.name for p in target.parent.iterdir()] == [target.name]


def test_a_tilted_volume_stays_where_it_was(tmp_path, scan, weights):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(scan.hu[:, ::-1])
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetOrigin((-30.0, 50.0, -7.0))
    image.SetSpacing((0.5, 0.5, 2.0))
    source, target = tmp_path / "in.nrrd", tmp_path / "out.nrrd"
    sitk.WriteImage(image, str(source))
    cli.main(["denoise", str(source), str(target), "--method", "cnn10", "--weights", str(weights)])
    before, after = (sitk.DICOMOrient(sitk.ReadImage(str(p)), "LPS") for p in (source, target))
    assert after.GetOrigin() == pytest.approx(before.GetOrigin())
    assert after.GetSpacing() == pytest.approx(before.GetSpacing())


def test_denoise_dicom_and_arrays(tmp_path, scan, weights):
    write_dicom(scan, tmp_path / "series")
    read = open_scan(tmp_path / "series")
    common = ["--method", "cnn10", "--weights", str(weights)]
    assert cli.main(["denoise", str(tmp_path / "series"), str(tmp_path / "clean"), *common]) == 0
    clean = open_scan(tmp_path / "clean")
    np.testing.assert_allclose(clean.hu, expected(read, weights).clip(-1024), atol=0.51)
    np.save(tmp_path / "in.npy", scan.hu)
    command = ["denoise", str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), *common]
    assert cli.main([*command, "--spacing-mm", "1", "0.7", "0.7"]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected(scan, weights), atol=1e-3)


def test_a_phantom_by_name_and_seed(tmp_path, monkeypatch):
    seen, asked = [], []
    monkeypatch.setattr(ImageNetwork, "denoise", lambda self, scan: seen.append(scan) or scan)
    monkeypatch.setattr(cli.denoise, "write", lambda *_: None)
    monkeypatch.setattr("ldctlib.denoisers.load", lambda *a, **k: load("cnn10", weights=None))
    small = open_scan("phantom-head", shape=(1, 32, 32))

    def ask(name, **options):
        asked.append((name, options))
        return small

    monkeypatch.setattr("ldctlib.scans.open_scan", ask)
    cli.main(["denoise", "phantom-head:7", str(tmp_path / "x"), "--method", "cnn10"])
    assert asked == [("phantom-head", {"seed": 7})]
    assert seen == [small]


def test_mistakes_in_denoising(tmp_path, scan, weights, capsys):
    source = tmp_path / "in.nii.gz"
    write_volume(scan, source)
    good = ["--method", "cnn10", "--weights", weights]
    say = mistake
    assert "No denoiser is called 'unet'" in say(capsys, "denoise", source, "x", "--method", "unet")
    assert "There is no file or folder" in say(capsys, "denoise", "nowhere", tmp_path / "x", *good)
    assert "required: --method" in say(capsys, "denoise", source, tmp_path / "x")
    assert "is there already" in say(capsys, "denoise", source, source, *good)
    assert "is there already" in say(capsys, "denoise", source, tmp_path, *good)
    np.save(tmp_path / "a.npy", scan.hu)
    assert "--spacing-mm" in say(capsys, "denoise", tmp_path / "a.npy", tmp_path / "x", *good)
    other = ["--method", "redcnn", "--weights", weights]
    assert "holds the weights of cnn10" in say(capsys, "denoise", source, tmp_path / "x", *other)
    none = ["--method", "cnn10", "--weights", tmp_path / "none.pt"]
    assert "There is no weight file" in say(capsys, "denoise", source, tmp_path / "x", *none)
    assert "seed of a phantom" in say(capsys, "denoise", "phantom-head:x", tmp_path / "x", *good)
    assert not (tmp_path / "x").exists()


def test_small_images_are_refused(tmp_path, capsys):
    small = open_scan("phantom-chest", shape=(1, 16, 16))
    write_volume(small, tmp_path / "small.mha")
    path = tmp_path / "w.safetensors"
    state = network("redcnn").state_dict()
    write_weights(path, "redcnn", state, normalization=Normalization.benchmark())
    command = ["denoise", tmp_path / "small.mha", tmp_path / "o.mha", "--method", "redcnn"]
    assert "at least 21 x 21" in mistake(capsys, *command, "--weights", path)


def test_train_and_use(tmp_path, monkeypatch, capsys):
    """Two tiny runs into one folder: the second continues the first."""
    scan = open_scan("phantom-abdomen", shape=(1, 96, 96), spacing_mm=FINE, seed=2)
    monkeypatch.setattr("ldctlib.scans.open_scan", lambda *_, **__: scan)
    command = ["train", "cnn10", "--scans", "mine", "--validation", "other", "--dose", "0.25"]
    command += ["--out", str(tmp_path / "run"), "--batch", "2", "--patch", "24", "--device", "cpu"]
    assert cli.main([*command, "--steps", "2"]) == 0
    assert cli.main([*command, "--steps", "4", "--validate-every", "2"]) == 0
    assert "best.safetensors" in capsys.readouterr().out
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["step", "2", "4"]
    trained = load("cnn10", weights=tmp_path / "run" / "best.safetensors", device="cpu")
    assert np.isfinite(trained.denoise_image(scan.hu)).all()


def test_search_and_train_what_it_found(tmp_path, monkeypatch, capsys):
    """A tiny search; its recipe goes into a campaign, one job of which fails."""
    scan = open_scan("phantom-abdomen", shape=(1, 128, 128), spacing_mm=FINE, seed=2)
    monkeypatch.setattr("ldctlib.scans.open_scan", lambda *_, **__: scan)
    data = ["--scans", "mine", "--validation", "other", "--dose", "0.25", "--device", "cpu"]
    folder = tmp_path / "tuned"
    command = ["search", "cnn10", *data, "--out", str(folder), "--trials", "2"]
    assert cli.main([*command, "--budget", "0.0001"]) == 0
    assert "is the best of 2 trials" in capsys.readouterr().out
    lines = (folder / "cnn10-gp.csv").read_text().splitlines()
    assert lines[0].startswith("trial,state,ssim")
    assert len(lines) == 3
    recipe = ["--recipes", str(folder / "cnn10-gp.json")]
    command = ["campaign", "cnn10", *data, *recipe, "--out", str(tmp_path / "fair")]
    short = ["--seeds", "2", "--steps", "2", "--metrics", "psnr", "rmse"]
    assert cli.main([*command, *short]) == 0
    assert "results.csv" in capsys.readouterr().out
    rows = (tmp_path / "fair" / "results.csv").read_text().splitlines()
    assert rows[0] == "method,seed,anatomy,patient,slice,metric,value"
    assert len(rows) == 1 + 2 * 2 * 2, "seeds, metrics, a slice and its volume"
    fails = ["campaign", "wganvgg", *data, "--out", str(tmp_path / "fails"), "--seeds", "1"]
    said = mistake_after_output(capsys, *fails, "--perceptual", "none").splitlines()[-1]
    assert "Failed: wganvgg-0: ValueError: No perceptual network is called 'none'" in said
    (tmp_path / "no.json").write_text("[]")
    bad = mistake(capsys, *fails, "--recipes", tmp_path / "no.json")
    assert "no.json is no recipe" in bad


def test_training_without_vgg_says_so(tmp_path, monkeypatch, capsys):
    scan = open_scan("phantom-head", shape=(1, 96, 96), spacing_mm=FINE, seed=2)
    monkeypatch.setattr("ldctlib.scans.open_scan", lambda *_, **__: scan)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    command = ["train", "wganvgg", "--scans", "a", "--validation", "b", "--dose", "0.25"]
    command += ["--out", tmp_path / "run", "--batch", "2", "--patch", "32", "--steps", "1"]
    assert "choose a stand-in" in mistake(capsys, *command)


def test_dose_limit(tmp_path, capsys):
    """The network made to fail loses a lesion that the bilateral filter keeps."""
    table = tmp_path / "doses.csv"
    call = ["dose-limit", "cnn10=no-lesions", "bilateral", "--patients", "1", "--doses", "0.25"]
    call += ["--contrast", "-40", "--device", "cpu", "--pixels", "256"]
    assert cli.main([*call, "--out", str(table)]) == 0
    told = capsys.readouterr().out
    assert "no dose: " in told
    assert "0.25: none lost of 12, so at most 22% are" in told
    assert table.read_text().count("\n") == 3
    assert "is there already" in mistake(capsys, *call, "--out", table)
    assert "a patient at least" in mistake(capsys, "dose-limit", "cnn10", "--patients", 0)


def test_weights(capsys):
    assert cli.main(["weights"]) == 0
    told = capsys.readouterr().out
    assert "redcnn" in told
    assert "cnn10=no-lesions" in told
    assert cli.main(["weights", "cnn10=no-lesions"]) == 0
    assert "hallucinates on purpose" in capsys.readouterr().out
    assert "'over-smoothing'" in mistake(capsys, "weights", "cnn10=nothing")
    assert "train it" in mistake(capsys, "weights", "transct")


def test_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LDCTLIB_DATA_DIR", str(tmp_path))
    (tmp_path / "head-ge").mkdir()
    assert cli.main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith("head-ge"))
    assert "absent" in line
    assert "BSD" in line
    assert "Missing or damaged: head-ge" in mistake_after_output(capsys, "data", "check", "head-ge")
    assert "No data set is called 'x'" in mistake(capsys, "data", "fetch", "x")
    assert "LDCTLIB_DATA_DIR" in mistake(capsys, "data", "fetch", "head-ge")


def mistake_after_output(capsys, *arguments):
    assert cli.main(list(arguments)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["denoise"], ["data", "burn"]])
def test_wrong_arguments(capsys, arguments):
    assert "--help" in mistake(capsys, *arguments)


def test_interrupt(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt("Stopped after 3 steps.")

    monkeypatch.setattr("ldctlib.scans.catalogue.datasets", stop)
    assert cli.main(["data"]) == 130
    assert capsys.readouterr().err == "ldct: Stopped after 3 steps.\n"


def test_version_and_help_need_no_torch():
    code = "import sys; from ldctlib import cli\ntry: cli.main(sys.argv[1:])\n"
    code += "finally: print('torch' in sys.modules)"
    for flag, text in (("--version", f"ldct {ldctlib.__version__}"), ("--help", "examples:")):
        command = [sys.executable, "-c", code, flag]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert text in out
        assert out.strip().endswith("False")


def documented():
    """Every command that the README, the page on clusters and the help show."""
    pages = [Path(__file__).parents[1] / page for page in ("README.md", "book/cluster.md")]
    texts = [*(page.read_text("utf-8") for page in pages), cli.EXAMPLES]
    lines = [line for text in texts for line in text.splitlines()]
    return [line.split("  ")[0] for line in map(str.strip, lines) if line.startswith("ldct ")]


@pytest.mark.parametrize("command", documented())
def test_documented_commands_are_understood(command):
    assert callable(cli._parser().parse_args(command.split()[1:]).run)
