"""What is replayed: the shipped recording for spot, real traffic where it lies beside the checkout for USD-M."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.recordings.catalogue import DEFAULT_RECORDING
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT: Final = Path(__file__).resolve().parents[3]
_REAL_USDM: Final = _ROOT.parent / "shared" / "recordings" / "cryptofeed" / "usdm-5-symbols-2021-04.raw"
_USDM_PROFILE: Final = "usdm-10-symbols"
_SECONDS: Final = 600


class NotMade(Exception):
    """A recording could not be imported or generated; says what the command said."""


def recording_of(market: str, folder: Path, say: Callable[[str], None]) -> str:
    """A shipped recording's name, or a file that is made in `folder` unless it is there. Raises NotMade."""
    if market == "spot":
        return DEFAULT_RECORDING
    real = _REAL_USDM.exists()
    target = folder / ("usdm-5-symbols-2021-04.jsonl.zst" if real else f"{_USDM_PROFILE}.jsonl.zst")
    if not target.exists():
        say(f"making {target.name}")
        made = target.with_name(f"part-{target.name}")
        if real:
            _tickproof("recording", "import", str(_REAL_USDM), str(made))
        else:
            _tickproof("recording", "generate", "--profile", _USDM_PROFILE, str(made))
        made.replace(target)
    return str(target)


def _tickproof(*words: str) -> None:
    argv = [sys.executable, "-m", "harness.cli.main", *words]
    done = subprocess.run(argv, env=python_environment(), capture_output=True, check=False, timeout=_SECONDS, text=True)
    if done.returncode:
        raise NotMade(f"tickproof {' '.join(words)}\n{done.stderr.strip()}")
