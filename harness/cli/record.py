"""`tickproof record`: live traffic into recordings, as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console

from harness.cli import record_show
from harness.cli.record_live import Limits, Live, Wanted
from harness.errors import ConfigError, NothingMeasured, NotTrustworthy, RecordingError, UnknownName
from harness.exchange import streams as known
from harness.recordings.capture import plan
from harness.recordings.capture.files import MOST_TEXT_BYTES, Files, Rotation
from harness.recordings.capture.names import Names, is_held
from harness.recordings.capture.redaction import Redactor, listen_keys_in, secrets_of
from harness.recordings.format import Header, Market, verify
from harness.recordings.salvage import salvage as salvage_file
from harness.units import NS_PER_MS, Nanoseconds, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.capture.plan import Link

_MB = 1_000_000
#: Longer than the exchange's own pings take: every 20 s on spot, every 3 minutes on USD-M (BINANCE.md, section 2).
_SILENT_S = {"spot": 60.0, "usdm": 400.0}
#: A file that names streams, one a line; a million names would be more than any exchange has.
_MOST_NAMES_BYTES = 16 << 20
EPILOG = """Examples:

tickproof record btc.jsonl.zst --stream btcusdt@bookTicker,btcusdt@aggTrade --seconds 300

tickproof record day.jsonl.zst --streams-file streams.txt --connections 4 --seconds 0 --rotate-minutes 60 --resume

tickproof record perp.jsonl.zst --market usdm --stream btcusdt@depth@100ms --stream btcusdt@markPrice@1s

tickproof record own.jsonl --url ws://127.0.0.1:9443 --stream btcusdt@trade --user-data ws://127.0.0.1:9443/ws-api/v3
"""


_Streams = Annotated[
    list[str] | None, typer.Option("--stream", help="A stream's name, or several with commas; may be repeated.")
]
_StreamsFile = Annotated[Path | None, typer.Option(help="A file of streams' names, one a line; # begins a remark.")]
_Url = Annotated[
    str | None,
    typer.Option(help="Where from instead: a host, or a whole address; {route} becomes public and market."),
]
_Connections = Annotated[
    int, typer.Option(help="Spread streams over so many; more are opened when needed.", min=1, max=64)
]
_UserData = Annotated[
    str | None, typer.Option(help="An account's address: a listen key's, or a /ws-api/v3 that asks for no key.")
]
_Reconnect = Annotated[
    bool | None,
    typer.Option("--reconnect/--no-reconnect", help="After an orderly close; default: unless from loopback."),
]
_Silent = Annotated[float | None, typer.Option(min=0, help="Seconds without a byte until a connection is made anew.")]


def record(
    target: Annotated[Path, typer.Argument(help="Recording to write, .jsonl or .jsonl.zst.")],
    streams: _Streams = None,
    streams_file: _StreamsFile = None,
    market: Annotated[str, typer.Option(help="spot or usdm; decides on the default hosts and routes.")] = "spot",
    data_only: Annotated[
        bool, typer.Option("--data-only", help="Spot from the host that has no account data.")
    ] = False,
    url: _Url = None,
    connections: _Connections = 1,
    user_data: _UserData = None,
    redact_ids: Annotated[bool, typer.Option("--redact-ids", help="Replace ids of orders as well.")] = False,
    seconds_: Annotated[float, typer.Option("--seconds", min=0, help="How long, at most; 0 for until Ctrl-C.")] = 60.0,
    frames: Annotated[int, typer.Option(min=0, help="How many frames, at most; 0 for any number.")] = 0,
    max_mb: Annotated[float, typer.Option(min=0, help="How many MB of frames, at most; 0 for any number.")] = 0.0,
    rotate_mb: Annotated[float, typer.Option(min=0, help="A new file after so many MB of text, at most 1000.")] = 0.0,
    rotate_minutes: Annotated[float, typer.Option(min=0, help="A new file after so many minutes.")] = 0.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a capture that ended, in a next file.")] = False,
    reconnect: _Reconnect = None,
    silent: _Silent = None,
    json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Capture streams, byte for byte, with the time at which each frame was read. Ctrl-C ends it, and keeps it."""
    where = _market(market)
    base = plan.base_url(where, url, data_only=data_only)
    links = plan.links(base, [*_names(streams or []), *_names_in(streams_file)], connections=connections)
    if user_data is not None:
        plan.checked_url(user_data, "--user-data")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    _warn_of_unknown(console, links)
    names = Names(target, numbered=bool(rotate_mb or rotate_minutes))
    number, resumed_from = _beginning(console, names, where, resume=resume)
    redactor = Redactor(_secrets(base, user_data, links), order_ids=redact_ids)
    files = Files(
        names,
        _header(where, links, redactor),
        rotation=_rotation(rotate_mb, rotate_minutes),
        first_number=number,
    )
    wanted = Wanted(
        links=links,
        user_url=user_data,
        limits=Limits(seconds=seconds_, frames=frames, body_bytes=round(max_mb * _MB)),
        silent_s=_SILENT_S[where] if silent is None else silent,
        reconnect=not base.startswith("ws://") if reconnect is None else reconnect,
        resumed_from=resumed_from,
    )
    _capture(console, wanted, files, redactor, as_json=json)


def salvage(
    source: Annotated[Path, typer.Argument(help="The unsealed or cut file, such as .btc.jsonl.zst.1a2b3c4d.partial.")],
    target: Annotated[Path, typer.Argument(help="The recording to write, .jsonl or .jsonl.zst.")],
) -> None:
    """Make a whole recording of what a capture left that was killed, or whose disk was full."""
    found = salvage_file(source, target)
    print(f"{target}: {found.frames:,} frames")
    if found.problem:
        print(f"the rest is missing: {found.problem}; the header's note tells")


def _capture(console: Console, wanted: Wanted, files: Files, redactor: Redactor, *, as_json: bool) -> None:
    live = Live(wanted, files, redactor)
    try:
        with record_show.progress_of(console, live):
            live.run()
    finally:
        found = live.summary()
        if found.files and as_json:
            print(msgspec.json.encode(found).decode())
        elif found.files:
            record_show.show(Console(highlight=False, soft_wrap=True), found)
    if live.sink.failure is not None:
        raise _broken(live.sink.failure, files) from live.sink.failure
    if not found.files:
        raise NothingMeasured(f"no frame came before the end by {found.ended_by}; are these streams known there?")


def _broken(failure: BaseException, files: Files) -> BaseException:
    if not isinstance(failure, RecordingError | OSError):
        return failure
    told = failure.problem if isinstance(failure, RecordingError) else str(failure)
    words = [f"the capture broke off: {told}", f"{len(files.sealed)} whole files are kept"]
    if files.partial is not None and files.partial.exists():
        words.append(
            f"what {files.partial} holds can be saved with `tickproof recording salvage {files.partial} TARGET`,"
            " to a disk with room"
        )
    return NotTrustworthy("; ".join(words))


def _market(name: str) -> Market:
    for market in get_args(Market):
        if name == market:
            return market  # type: ignore[no-any-return] # one of the two words
    raise UnknownName("market", name, get_args(Market))


def _names(given: Iterable[str]) -> list[str]:
    return [name.strip() for part in given for name in part.split(",") if name.strip()]


def _names_in(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_NAMES_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"cannot be read: {error}") from error
    return _names(line.partition("#")[0] for line in text.splitlines())


def _warn_of_unknown(console: Console, links: Iterable[Link]) -> None:
    unknown = [name for link in links for name in link.streams if not _is_known(name)]
    if unknown:
        first = ", ".join(Redactor(listen_keys_in(unknown)).text(name) for name in unknown[:3])
        console.print(
            f"{len(unknown)} names are none of the streams that Binance tells of, as {first}: it is silent on those",
            markup=False,
        )


def _is_known(name: str) -> bool:
    stream = known.parse(name)
    return stream.is_known and stream.name == name


def _beginning(console: Console, names: Names, market: Market, *, resume: bool) -> tuple[int, Nanoseconds | None]:
    """The number of the first file, and when the capture that is gone on with had its last frame."""
    for partial, final in names.leftovers():
        if is_held(partial):
            raise ConfigError("record", "TARGET", f"{final} is being written by another capture")
        if not resume:
            told = f"`tickproof recording salvage {partial} TARGET` makes it whole"
            console.print(f"an earlier capture left an unsealed file: {told}", markup=False)
            continue
        _save(console, partial, final)
    taken = names.taken()
    if taken and not resume:
        first = next(iter(taken.values()))
        raise ConfigError("record", "TARGET", f"{first} is there already; name another file, or go on with --resume")
    if not taken:
        return 1, None
    number, last = max(taken.items())
    found = verify(last)
    if found.header.market != market:
        raise ConfigError("record", "--market", f"{last} holds {found.header.market}")
    return number + 1, Nanoseconds(found.header.start_ms * NS_PER_MS + found.span_ns)


def _save(console: Console, partial: Path, final: Path) -> None:
    try:
        found = salvage_file(partial, final)
    except RecordingError as error:
        console.print(f"nothing could be saved of an unsealed file: {error}", markup=False)
        return
    partial.unlink()
    console.print(f"{final}: saved {found.frames:,} frames of an unsealed file", markup=False)


def _secrets(base: str, user_url: str | None, links: Iterable[Link]) -> list[str]:
    found = [*secrets_of(base), *(secrets_of(user_url) if user_url else ())]
    return found + [key for link in links for key in listen_keys_in(link.streams)]


def _header(market: Market, links: tuple[Link, ...], redactor: Redactor) -> Header:
    streams = tuple(redactor.text(name) for link in links for name in link.streams)
    hosts = ", ".join(sorted({urlsplit(link.url).hostname or "" for link in links}))
    words = "1 connection" if len(links) == 1 else f"{len(links)} connections"
    return Header(
        market=market,
        streams=streams,
        start_ms=0,  # of each file
        source="captured",
        title=f"{len(streams)} streams captured from {hosts} over {words}",
    )


def _rotation(megabytes: float, minutes: float) -> Rotation:
    return Rotation(
        text_bytes=min(round(megabytes * _MB), MOST_TEXT_BYTES) if megabytes else MOST_TEXT_BYTES,
        span_ns=seconds(minutes * 60) if minutes else None,
    )
