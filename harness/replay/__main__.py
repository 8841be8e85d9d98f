"""`python -m harness.replay`: the replay as a process, told by JSON lines (process.py)."""

from __future__ import annotations

import sys

from harness.replay.process import main

if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
