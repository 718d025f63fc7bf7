"""What the structures of a scan are: masks, segment-anything and a segmenter without weights."""
