"""`python -m harness.replay`: the replay as a process, told by JSON lines (process.py)."""

from __future__ import annotations

import sys

from harness.replay.process import main

if __name__ == "__main__":
    # Unbuffered: the interpreter cannot end while a thread holds the lock of a buffered stdin.
    sys.exit(main(open(0, "rb", buffering=0, closefd=False), sys.stdout.buffer))  # noqa: SIM115 - a descriptor
