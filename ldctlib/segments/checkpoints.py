"""The published weights of segment-anything: found by name, verified every time, put in a model."""

from __future__ import annotations

import hashlib
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pooch
import torch
from torch import Tensor, nn

INSTALL = "Segment-anything is not installed: pip install 'ldctlib[sam]', or use method='builtin'."


class Checkpoint(NamedTuple):
    """A published file: where it is, and its sha256."""

    url: str
    sha256: str


META = "https://dl.fbaipublicfiles.com/segment_anything/"
CHECKPOINTS = {
    "mobile_sam": Checkpoint(
        "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
    "vit_b": Checkpoint(
        f"{META}sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    "vit_l": Checkpoint(
        f"{META}sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    "vit_h": Checkpoint(
        f"{META}sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
}

# The vision transformers by the width of their patch embedding.
MODEL_OF_WIDTH = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}


def load_sam(checkpoint: str | Path) -> tuple[Any, str]:
    """Segment-anything with trained weights.

    Args:
        checkpoint: "vit_b", "vit_l" or "vit_h" (Meta's own), "mobile_sam", or a file in the layout
            of one of them, e.g. one that was fine-tuned on CT.

    Returns:
        The model, in evaluation mode on the CPU, and the sha256 of its file.

    Raises:
        ImportError: segment-anything, or timm for MobileSAM, is not installed.
        ConnectionError: the weights are not on this machine and cannot be downloaded.
        FileNotFoundError, ValueError: there is no such file, or it holds something else.

    Source: Kirillov et al. 2023, https://doi.org/10.1109/ICCV51070.2023.00371; MobileSAM:
    Zhang et al. 2023, https://doi.org/10.48550/arXiv.2306.14289.
    """
    known = CHECKPOINTS.get(str(checkpoint))
    path = published(str(checkpoint)) if known else Path(checkpoint)
    if not path.is_file():
        names = ", ".join(CHECKPOINTS)
        raise FileNotFoundError(f"There is no checkpoint {path}: name a file, or one of {names}.")
    state = _read(path)
    kind = _kind(state, path)
    try:
        if kind == "mobile":
            from ldctlib.segments.mobile_sam import mobile_sam, timm_state

            model, state = mobile_sam(), timm_state(state)
        else:
            from segment_anything import sam_model_registry

            model = sam_model_registry[kind]()
    except ImportError as error:
        raise ImportError(INSTALL) from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        problem = re.sub(r"\s+", " ", str(error))[:160]
        raise ValueError(f"{path} does not fit the model {kind}: {problem}…") from error
    return model.eval(), known.sha256 if known else pooch.file_hash(str(path))


def published(name: str) -> Path:
    """The published file of this name in the user's cache, downloaded if need be, verified."""
    pooch.get_logger().setLevel(logging.WARNING)
    url, digest = CHECKPOINTS[name]
    try:
        path = pooch.retrieve(
            url=url,
            known_hash=f"sha256:{digest}",
            fname=Path(url).name,
            path=pooch.os_cache("ldctlib") / "segment-anything",
            downloader=pooch.HTTPDownloader(timeout=20, progressbar=True),
        )
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{url} could not be had ({type(error).__name__}: {str(error)[:80]}…); with a "
            "connection try again, name a file as the checkpoint, or use method='builtin', "
            "which needs no weights."
        ) from None
    return Path(path)


def fingerprint(model: nn.Module) -> str:
    """sha256 of all weights of a model, names included."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged, or holds more than weights.") from error
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise ValueError(f"{path} holds no state dict of segment-anything.")
    return state


def _kind(state: Mapping[str, Tensor], path: Path) -> str:
    """Which model a state dict is for."""
    if "image_encoder.patch_embed.seq.0.c.weight" in state:
        return "mobile"
    embedding = state.get("image_encoder.patch_embed.proj.weight")
    kind = MODEL_OF_WIDTH.get(len(embedding)) if embedding is not None else None
    if kind is None:
        raise ValueError(f"{path} holds the weights of no known model of segment-anything.")
    return kind
