"""Recordings of other tools, made into ours: cryptofeed, hftbacktest, tardis, and Binance's own CSV files."""

from __future__ import annotations

from harness.recordings.importers.detection import FORMATS, Format, detect
from harness.recordings.importers.files import Imported, import_files, import_raw
from harness.recordings.importers.items import Wanted

__all__ = ["FORMATS", "Format", "Imported", "Wanted", "detect", "import_files", "import_raw"]
