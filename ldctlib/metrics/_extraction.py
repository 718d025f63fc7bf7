"""Run pyradiomics on many regions, each once, in this process or in several."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any

import numpy as np
from tqdm import tqdm

Features = dict[str, float]
Raw = Mapping[str, Any]
_MOST_GREY_LEVELS = 2000  # a co-occurrence matrix of more would fill the memory
_MOST_REMEMBERED = 5000  # regions; some 10 kB each
_SILENT = 60  # pyradiomics' level at which it writes nothing to stderr


# Features by content: a reference that is compared again, in any call, is not measured again.
_remembered: dict[bytes, Features] = {}


def forget() -> None:
    """Measure everything anew from here on."""
    _remembered.clear()


@dataclass(frozen=True)
class Region:
    """A volume (Z, H, W) in HU, the voxels of it that count, and its voxels' (dz, dy, dx) in mm."""

    name: str
    hu: np.ndarray
    inside: np.ndarray
    spacing_mm: tuple[float, float, float]

    def key(self, settings: str) -> bytes:
        """A digest of everything that the features depend on."""
        digest = hashlib.blake2b(f"{settings} {self.hu.shape} {self.spacing_mm}".encode())
        digest.update(self.hu.tobytes())
        digest.update(self.inside.tobytes())
        return digest.digest()

    def images(self) -> tuple[Any, Any]:
        """The volume and the mask as SimpleITK images."""
        import SimpleITK as sitk

        # pyradiomics refuses a mask without background, so one column is added
        pair: list[Any] = [
            sitk.GetImageFromArray(np.pad(array, ((0, 0), (0, 0), (0, 1))))
            for array in (self.hu, self.inside.astype(np.uint8))
        ]
        for image in pair:
            image.SetSpacing(self.spacing_mm[::-1])
        return pair[0], pair[1]


def extract(
    regions: Sequence[Callable[[], Region]],
    settings: Mapping[str, Any],
    classes: Sequence[str],
    processes: int,
    progress: bool,
) -> list[Features]:
    """The features of every region; regions of equal content are computed once and remembered.

    Args:
        regions: functions that cut out a region when its turn comes, so that few exist at a time.
        settings: of pyradiomics.
        classes: feature classes by name.
        processes: how many work; 1 stays in this process.
        progress: whether to show a bar.

    Raises:
        ImportError: pyradiomics is not installed.
        ValueError: a region cannot be measured; the sentence names it.
    """
    extractor = _extractor(settings, classes)
    about = repr((sorted(settings.items()), list(classes)))
    keys: list[bytes] = []
    with tqdm(total=len(regions), desc="radiomics", unit="organ", disable=not progress) as bar:

        def unknown() -> Iterator[tuple[bytes, Region]]:
            for cut in regions:
                region = cut()
                keys.append(region.key(about))
                if keys[-1] in _remembered or keys[-1] in keys[:-1]:
                    bar.update()
                else:
                    _check_grey_levels(region, settings)
                    yield keys[-1], region

        workers = min(processes, len(regions))
        measured = _in_parallel if workers > 1 else _one_by_one
        for key, found in measured(unknown(), extractor, workers):
            _remembered[key] = {k.removeprefix("original_"): float(v) for k, v in found.items()}
            bar.update()
    results = [_remembered[key] for key in keys]
    while len(_remembered) > _MOST_REMEMBERED:
        _remembered.pop(next(iter(_remembered)))
    return results


def _one_by_one(
    regions: Iterable[tuple[bytes, Region]], extractor: Any, _: int = 1
) -> Iterator[tuple[bytes, Raw]]:
    for key, region in regions:
        with _quiet(), _naming(region):
            found = extractor.execute(*region.images())
        yield key, found


def _in_parallel(
    regions: Iterable[tuple[bytes, Region]], extractor: Any, processes: int
) -> Iterator[tuple[bytes, Raw]]:
    """Feed a pool with two regions a worker at a time; this process works, too."""
    import radiomics

    # The pool runs pyradiomics' own functions: workers import it, but neither ldctlib nor torch.
    workers = processes - 1
    pool = ProcessPoolExecutor(workers, get_context("spawn"), radiomics.setVerbosity, (_SILENT,))
    running: dict[Future[Raw], tuple[bytes, Region]] = {}
    regions = iter(regions)
    try:
        while True:
            for key, region in islice(regions, 2 * workers - len(running)):
                running[pool.submit(extractor.execute, *region.images())] = key, region
            own = list(_one_by_one(islice(regions, 1), extractor))
            yield from own
            if not running:
                return
            for future in wait(running, 0 if own else None, return_when=FIRST_COMPLETED).done:
                key, region = running.pop(future)
                with _naming(region):
                    found = future.result()
                yield key, found
    except BrokenProcessPool:
        raise RuntimeError(
            "A worker process ended early: a script that asks for several processes must start its "
            'work under `if __name__ == "__main__":`.'
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _naming(region: Region) -> Iterator[None]:
    """Say which region pyradiomics could not measure."""
    try:
        yield
    except BrokenProcessPool:
        raise
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"pyradiomics cannot measure {region.name}: {error}") from error


def _extractor(settings: Mapping[str, Any], classes: Sequence[str]) -> Any:
    try:
        from radiomics.featureextractor import RadiomicsFeatureExtractor
    except ImportError:
        raise ImportError(
            'Radiomic features need pyradiomics: pip install "ldctlib[radiomics]".'
        ) from None
    with _quiet():
        extractor = RadiomicsFeatureExtractor(**settings, additionalInfo=False)
        extractor.disableAllFeatures()
        for name in classes:
            if name not in extractor.featureClassNames:
                known = ", ".join(sorted(extractor.featureClassNames))
                raise ValueError(f"pyradiomics has no feature class {name!r}; it has {known}.")
            extractor.enableFeatureClassByName(name)
    return extractor


def _check_grey_levels(region: Region, settings: Mapping[str, Any]) -> None:
    values = region.hu[region.inside]
    span, width = float(values.max() - values.min()), settings.get("binWidth", 25)
    if not settings.get("binCount") and span / width > _MOST_GREY_LEVELS:
        raise ValueError(
            f"{region.name} spans {span:.0f} HU, too many bins of {width:g} HU: is it in HU?"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pyradiomics' remarks on stderr."""
    import radiomics

    level = radiomics.handler.level
    radiomics.setVerbosity(_SILENT)
    try:
        yield
    finally:
        radiomics.setVerbosity(level)
