"""Where scans come from: data sets by name, DICOM, other formats, phantoms."""

from ldctlib.scans import catalogue, mayo
from ldctlib.scans.catalogue import fetch, table
from ldctlib.scans.decathlon import DecathlonTask, read_decathlon
from ldctlib.scans.dicom import read_dicom
from ldctlib.scans.grid import downsample
from ldctlib.scans.labels import read_masks
from ldctlib.scans.low_contrast import mita_lcd
from ldctlib.scans.open import available, open_scan
from ldctlib.scans.scan import Scan
from ldctlib.scans.splits import patients, split_of
from ldctlib.scans.volumes import read_array, read_volume
from ldctlib.scans.write import write_dicom

__all__ = [
    "DecathlonTask",
    "Scan",
    "available",
    "catalogue",
    "downsample",
    "fetch",
    "mayo",
    "mita_lcd",
    "open_scan",
    "patients",
    "read_array",
    "read_decathlon",
    "read_dicom",
    "read_masks",
    "read_volume",
    "split_of",
    "table",
    "write_dicom",
]
