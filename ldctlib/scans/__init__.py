"""Where scans come from: data sets by name, DICOM, other formats, phantoms."""
