"""Draw the picture of the README: one slice of an unseen patient, denoised by every network.

python book/overview.py
"""

from pathlib import Path

from matplotlib import pyplot

from ldctlib import denoisers, physics, scans, units
from ldctlib.files import replacing

TARGET = Path(__file__).parent / "_static" / "overview.png"
SCAN, SLICE, DOSE, WINDOW = "totalsegmentator-dicom", 10, 0.25, "abdomen"
ROWS, COLUMNS = slice(190, 390), slice(120, 296)
TITLES = {"cnn10": "CNN-10", "redcnn": "RED-CNN", "wganvgg": "WGAN-VGG"}


def main() -> None:
    scan = scans.open_scan(SCAN).slab(SLICE, SLICE + 1)
    exam = physics.expose(scan, dose=DOSE, seed=0, preset="clinical", photons=1e7)
    images = {"full dose": exam.full, f"{DOSE:.0%} of the dose": exam.low}
    images |= {title: denoisers.load(name)(exam) for name, title in TITLES.items()}
    draw({name: scan.hu[0, ROWS, COLUMNS] for name, scan in images.items()})


def draw(panes: dict, gap: int = 4, head: int = 22) -> None:
    """Panes in a row on black, one image pixel a pixel of the file."""
    high, wide = next(iter(panes.values())).shape
    width, height = len(panes) * (wide + gap) - gap, high + head
    fig = pyplot.figure(figsize=(width / 100, height / 100), dpi=100, facecolor="black")
    for i, (name, hu) in enumerate(panes.items()):
        left = i * (wide + gap) / width
        area = fig.add_axes((left, 0, wide / width, high / height))
        grey = units.apply_window(hu, WINDOW)
        area.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        area.set_axis_off()
        fig.text(left + 6 / width, 1 - 15 / height, name, color="white", fontsize=8)
    with replacing(TARGET) as unfinished:
        fig.savefig(unfinished)


if __name__ == "__main__":
    main()
