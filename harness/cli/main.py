"""The `tickproof` program: joins the layers, prints, and turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer
from rich.console import Console

from harness import __version__
from harness.cli import baseline, bench, bot, claims, doctor, gate, history, record, recording, replay, report, services
from harness.errors import ExitCode, TickproofError
from harness.redact import redact

app = typer.Typer(
    name="tickproof",
    help="Prove or disprove a performance upgrade of an asyncio trading bot on replayed Binance traffic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(bench.bench)
app.command()(report.report)
app.command()(gate.gate)
app.command(epilog=record.EPILOG)(record.record)
app.command()(doctor.doctor)
app.add_typer(replay.app, name="replay")
recording.app.command(epilog="Example: tickproof recording salvage .btc.jsonl.zst.1a2b3c4d.partial btc.jsonl.zst")(
    record.salvage
)
app.add_typer(recording.app, name="recording")
app.add_typer(bot.app, name="bot")
app.add_typer(claims.app, name="claims")
app.add_typer(baseline.app, name="baseline")
app.add_typer(history.app, name="history")
app.add_typer(services.app, name="services")

#: What shells report for a program that Ctrl-C ended.
INTERRUPTED = 130


def _show_version(asked: bool) -> None:
    if asked:
        print(f"tickproof {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the program; exits with the codes of `harness.errors.ExitCode`, or 130 when interrupted."""
    # A supervisor's SIGTERM ends a command as orderly as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = app(standalone_mode=False)
    except TickproofError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        sys.exit(INTERRUPTED)
    except typer.TyperException as error:  # a wrong option or argument
        show = getattr(error, "show", None)
        if show is None:
            _complain(str(error))
        else:
            show()
        sys.exit(ExitCode.BAD_INPUT)
    except OSError as error:
        _complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        sys.exit(ExitCode.NOT_TRUSTWORTHY)
    sys.exit(status if isinstance(status, int) else ExitCode.GOOD)


def _complain(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"tickproof: {redact(text)}", markup=False)


if __name__ == "__main__":
    main()
