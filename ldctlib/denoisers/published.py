"""The weights that ldct-benchmark published: downloaded once, verified every time."""

from __future__ import annotations

import logging
from pathlib import Path

import pooch

BASE_URL = "https://downloads.eeulig.com/ldct-benchmark/"
SHA256 = {
    "cnn10": "ee96e494c8eda02e946464df29cf43c14163e63bc4b1df6d8907ee33a1a18c3e",
    "redcnn": "058ae58264a00116e5620ed88047e687c7e93c8b732bfd6d7796e76bae0c74f3",
    "wganvgg": "1ad87d16aefea99a9eeb474c33127971131cc21a07e129bf464c764cf9ca6003",
    "resnet": "4fe7137fe5abe7c381d746914528eaf23f061204580d8f027faf4d5eaaca6714",
    "qae": "ca6ce543b476d4c3673acd2f3d1284d47d98483c41a61cc912f5214c80921363",
    "dugan": "c6faad8376994fe22eadc0a723f81705fda6f435f40ef0f999666e871216ac5e",
    "transct": "37b5af1cb4fdfaa0c1d67d5992a5e9c6da5b6afda59bf5274d1fe5db163f959e",
    "bilateral": "3e0722758e31c92fd11cc8bb9f5d2e93714a885bbe21183228fbe8946e79d5ff",
}


def published_weights(method: str) -> Path:
    """The published weight file of a method, in the user's cache.

    Raises:
        ValueError: none was published for this method.
        ConnectionError: it is not there and cannot be downloaded, or is not the published file.

    Source: Eulig et al. 2024, https://doi.org/10.1002/mp.17379.
    """
    if method not in SHA256:
        raise ValueError(f"No weights of {method} were published; there are {', '.join(SHA256)}.")
    pooch.get_logger().setLevel(logging.WARNING)
    url = f"{BASE_URL}{method}.pt"
    try:
        path = pooch.retrieve(
            url=url,
            known_hash=f"sha256:{SHA256[method]}",
            fname=f"{method}.pt",
            path=pooch.os_cache("ldctlib") / "ldct-benchmark",
            downloader=pooch.HTTPDownloader(timeout=20, progressbar=True),
        )
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{url} could not be had ({type(error).__name__}: {str(error)[:80]}…); with a "
            f'connection try again, or give a file: load("{method}", weights="{method}.pt").'
        ) from None
    return Path(path)
