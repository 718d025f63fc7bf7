"""Segment-anything: the real package with a small model of random weights, nothing downloaded."""

from functools import partial

import numpy as np
import pytest
import torch

from ldctlib.scans import open_scan
from ldctlib.segments import sam as sam_module
from ldctlib.segments import segment
from ldctlib.segments.checkpoints import CHECKPOINTS, fingerprint, load_sam, published
from ldctlib.segments.sam import sam
from ldctlib.units import apply_window

pytest.importorskip("segment_anything", reason="needs ldctlib[sam]")
from segment_anything import SamAutomaticMaskGenerator, sam_model_registry
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

PIXELS, CHANNELS, IOU = 128, 32, 0.9
LUNG, SOFT = (-600.0, 1500.0), (40.0, 400.0)


class DiscSam(Sam):
    """SAM that draws three discs around the highest logits; random ones fill the picture."""

    def postprocess_masks(self, masks, input_size, original_size):
        scale = 4 * original_size[0] / input_size[0]  # logits come at a quarter of the size
        peak = masks.flatten(2).argmax(-1)
        y, x = (scale * (torch.stack([peak // 32, peak % 32]) + 0.5))[..., None, None]
        rows, columns = torch.meshgrid(*map(torch.arange, original_size), indexing="ij")
        radius = torch.tensor([2.0, 5.0, 16.0])[:, None, None]
        return 1000 * (radius - torch.hypot(rows - y, columns - x))


def small_sam(seed=0):
    """SAM's architecture at 1/8 of its size with random weights, and sure of half its masks."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DiscSam(
            ImageEncoderViT(
                img_size=PIXELS, embed_dim=CHANNELS, depth=2, num_heads=2, out_chans=CHANNELS,
                use_rel_pos=True, window_size=3, global_attn_indexes=(1,), qkv_bias=True,
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            ),
            PromptEncoder(CHANNELS, (PIXELS // 16, PIXELS // 16), (PIXELS, PIXELS), 4),
            MaskDecoder(
                transformer_dim=CHANNELS, transformer=TwoWayTransformer(2, CHANNELS, 2, 64),
                iou_head_hidden_dim=16,
            ),
            pixel_mean=[123.675, 116.28, 103.53], pixel_std=[58.395, 57.12, 57.375],
        )  # fmt: skip
        with torch.no_grad():
            for layer in model.mask_decoder.transformer.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.weight *= 2  # or all prompts give the same
            model.mask_decoder.iou_prediction_head.layers[-1].bias.copy_(torch.full((4,), IOU))
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return small_sam()


@pytest.fixture(scope="module")
def hu():
    return open_scan("phantom-chest", shape=(3, 96, 80), seed=5).hu


def run(hu, model, folder, **options):
    options = {"windows": [LUNG], "points_per_side": 4, "progress": False, **options}
    return sam(hu, checkpoint=model, cache_folder=folder, device="cpu", **options)


@pytest.fixture
def encoded(model):
    """Numbers of images in the encoder, one entry for each time it is used."""
    seen = []
    hook = model.image_encoder.register_forward_pre_hook(lambda _, x: seen.append(len(x[0])))
    yield seen
    hook.remove()


def by_the_package(model, image, window, iou=0.88, stability=0.95):
    """The package's own dense masks of one slice."""
    grey = np.round(255 * apply_window(image, window)).astype(np.uint8)
    generator = SamAutomaticMaskGenerator(
        model, points_per_side=4, pred_iou_thresh=iou, stability_score_thresh=stability
    )
    return generator.generate(np.stack([grey] * 3, -1))


def test_masks_are_those_of_the_package(model, hu, tmp_path):
    masks = run(hu, model, tmp_path, windows=[LUNG, SOFT])
    expected = []
    for z, image in enumerate(hu):
        found = [r for w in (LUNG, SOFT) for r in by_the_package(model, image, w)]
        expected += [(z, k, record) for k, record in enumerate(found)]
    assert len(expected) > 6, "a test of nothing"
    assert masks.labels == tuple(f"{z}/{k}" for z, k, _ in expected)
    for i, (z, _, record) in enumerate(expected):
        volume = np.zeros(hu.shape, bool)
        volume[z] = record["segmentation"]
        np.testing.assert_array_equal(masks.boolean(i), volume)
        assert masks.scores[i] == pytest.approx(record["predicted_iou"], abs=1e-6)


def test_images_that_are_encoded_together(model, hu, tmp_path, monkeypatch, encoded):
    alone = run(hu, model, tmp_path / "a")
    assert encoded == [1, 1, 1]
    monkeypatch.setitem(sam_module.IMAGES, "cpu", 2)
    monkeypatch.setitem(sam_module.PROMPTS, "cpu", 5)
    together = run(hu, model, tmp_path / "b")
    assert encoded[3:] == [2, 1]
    assert together.labels == alone.labels
    overlap = together.iou(alone).diagonal()
    assert overlap.min() > 0.99
    np.testing.assert_allclose(together.scores, alone.scores, atol=1e-5)


def test_an_interrupted_run_goes_on(model, hu, tmp_path, monkeypatch, encoded):
    whole = run(hu, model, tmp_path / "whole")
    encoded.clear()
    write, written = sam_module._write, []

    def stop_at_the_third(path, records):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, records)

    folder = tmp_path / "stopped"
    monkeypatch.setattr(sam_module, "_write", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(hu, model, folder)
    monkeypatch.setattr(sam_module, "_write", write)
    assert sorted(folder.iterdir()) == sorted(written)
    encoded.clear()
    again = run(hu, model, folder)
    assert encoded == [1]
    assert again.labels == whole.labels
    assert again.areas.tolist() == whole.areas.tolist()
    run(hu, model, folder)
    assert encoded == [1]


def test_what_a_file_is_good_for(model, hu, tmp_path, encoded):
    """Another slice, window, setting or model is worked out anew, and so is a damaged file."""
    run(hu[:1], model, tmp_path)
    run(hu[[0, 0]], model, tmp_path)
    assert len(encoded) == 1
    run(hu[:1] + 20, model, tmp_path)
    run(hu[:1], model, tmp_path, windows=[SOFT])
    run(hu[:1], model, tmp_path, tier="extended")
    run(hu[:1], model, tmp_path, points_per_side=3)
    assert len(encoded) == 5
    other = small_sam(seed=1)
    assert fingerprint(other) != fingerprint(model) == fingerprint(small_sam())
    files = len(list(tmp_path.iterdir()))
    run(hu[:1], other, tmp_path)
    assert len(list(tmp_path.iterdir())) == files + 1
    folder = tmp_path / "damaged"
    good = run(hu[:1], model, folder)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-60])
    assert run(hu[:1], model, folder).areas.tolist() == good.areas.tolist()
    assert len(encoded) == 7


def test_a_slice_without_contrast(model, tmp_path, encoded):
    assert len(run(np.full((2, 64, 64), -1000, np.float32), model, tmp_path)) == 0
    assert not encoded


def test_thresholds(model, hu, tmp_path):
    few = run(hu, model, tmp_path)
    assert len(run(hu, model, tmp_path, tier="extended")) >= len(few)
    assert len(run(hu, model, tmp_path, thresholds=(2.0, 0.0))) == 0
    assert few.scores.min() > 0.88


def test_segment_end_to_end(model, tmp_path):
    """From a phantom to segments: within the rules, a subset of what SAM found, in both windows."""
    scan = open_scan("phantom-chest", shape=(3, 96, 80), seed=5)
    options = {"points_per_side": 6, "device": "cpu", "progress": False, "cache_folder": tmp_path}
    masks = segment(scan, "sam", checkpoint=model, **options)
    raw = sam(scan.hu, windows=[LUNG, SOFT], checkpoint=model, **options)
    assert 0 < len(masks) < len(raw)
    assert masks.shape == scan.shape
    assert masks.areas.min() >= 16
    assert set(masks.labels) <= set(raw.labels)
    for z in range(3):
        here = masks.select(masks.in_slice(z))
        same = here.iou().toarray()
        assert (same[~np.eye(len(here), dtype=bool)] <= 0.9).all()
    one = segment(scan, "sam", checkpoint=model, window="lung", link=True, **options)
    assert len(one) <= len(masks)


def test_no_connection_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda _: tmp_path)

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **_: offline)
    for name in CHECKPOINTS:
        with pytest.raises(ConnectionError, match="which needs no weights"):
            published(name)


def test_a_download_is_verified_every_time(tmp_path, monkeypatch):
    """A file that is not the published one is fetched again, and refused if still different."""
    monkeypatch.setattr("pooch.os_cache", lambda _: tmp_path)
    file = tmp_path / "segment-anything" / "sam_vit_b_01ec64.pth"
    file.parent.mkdir()
    file.write_bytes(b"damaged")
    fetched = []

    def download(url, target, _):
        fetched.append(url)
        with open(target, "wb") as out:
            out.write(b"something else")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **_: download)
    with pytest.raises(ConnectionError, match="hash"):
        load_sam("vit_b")
    assert fetched == [CHECKPOINTS["vit_b"].url]


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match="mobile_sam, vit_b"):
        load_sam("vit_x")
    path = tmp_path / "x.pth"
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="damaged"):
        load_sam(path)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="no known model"):
        load_sam(path)
    torch.save({"image_encoder.patch_embed.proj.weight": torch.zeros(768, 3, 16, 16)}, path)
    with pytest.raises(ValueError, match="does not fit the model vit_b"):
        load_sam(path)


def test_a_file_of_weights(tmp_path, monkeypatch, hu):
    """The width of the patch embedding tells which model a file is for."""
    monkeypatch.setitem(sam_model_registry, "vit_b", lambda: small_sam(seed=3))
    monkeypatch.setattr("ldctlib.segments.checkpoints.MODEL_OF_WIDTH", {CHANNELS: "vit_b"})
    original = small_sam(seed=4)
    torch.save(original.state_dict(), tmp_path / "mine.pth")
    model, digest = load_sam(tmp_path / "mine.pth")
    assert fingerprint(model) == fingerprint(original)
    assert len(digest) == 64
    found = run(hu[:1], str(tmp_path / "mine.pth"), tmp_path / "cache")
    assert found.areas.tolist() == run(hu[:1], original, tmp_path / "cache").areas.tolist()
