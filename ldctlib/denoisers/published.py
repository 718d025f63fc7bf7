"""The weights that ldct-benchmark published: downloaded once, verified every time."""

from __future__ import annotations

import logging
from pathlib import Path

import pooch

from ldctlib.denoisers.method import Method

BASE_URL = "https://downloads.eeulig.com/ldct-benchmark/"


def published_weights(method: Method) -> Path:
    """The published weight file of a method, in the user's cache.

    Raises:
        ValueError: none was published for this method.
        ConnectionError: it is not there and cannot be downloaded, or is not the published file.

    Source: Eulig et al. 2024, https://doi.org/10.1002/mp.17379.
    """
    name, sha256 = method.name, method.trainable.published_sha256
    if sha256 is None:
        raise ValueError(f"No weights of {name} were published with ldct-benchmark.")
    pooch.get_logger().setLevel(logging.WARNING)
    url = f"{BASE_URL}{name}.pt"
    try:
        path = pooch.retrieve(
            url=url,
            known_hash=f"sha256:{sha256}",
            fname=f"{name}.pt",
            path=pooch.os_cache("ldctlib") / "ldct-benchmark",
            downloader=pooch.HTTPDownloader(timeout=20, progressbar=True),
        )
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{url} could not be had ({type(error).__name__}: {str(error)[:80]}…); with a "
            f'connection try again, or give a file: load("{name}", weights="{name}.pt").'
        ) from None
    return Path(path)
