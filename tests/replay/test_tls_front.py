from __future__ import annotations

import json
import ssl
import stat
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from harness.errors import ConfigError, PortTaken
from harness.replay.certificate import certificate_in, server_context
from harness.replay.pacing import Pace
from harness.replay.tls_front import TlsFront

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.replay.standing import Standing
    from harness.replay.tape import Tape


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


@pytest.fixture
def standing(tape: Tape, stand: Callable[..., Standing]) -> Standing:
    return stand(tape, Pace())


@pytest.fixture
def held(tape: Tape, stand: Callable[..., Standing]) -> Standing:
    return stand(tape, Pace(), hold=True)


@pytest.fixture
def front(standing: Standing, folder: Path) -> Iterator[TlsFront]:
    context = server_context(certificate_in(folder))
    with TlsFront(context, host="127.0.0.1", port=0, upstream=("127.0.0.1", standing.server.port)) as made:
        yield made


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate_in(folder).certificate))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_every_frame_comes_over_tls_and_the_name_is_good(front: TlsFront, folder: Path, host: str) -> None:
    url = f"wss://{host}:{front.port}/stream?streams=btcusdt@trade"
    with connect(url, proxy=None, ssl=trusting(folder), max_size=None) as client:
        assert [json.loads(text)["data"]["n"] for text in client] == list(range(0, 120, 3))
        assert client.close_code == 1000


def test_a_client_that_does_not_trust_it_is_not_served(front: TlsFront) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(f"wss://localhost:{front.port}/ws/btcusdt@trade", proxy=None)


def test_no_old_tls_is_spoken(folder: Path) -> None:
    assert server_context(certificate_in(folder)).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_connection_that_breaks_behind_it_breaks_before_it(held: Standing, folder: Path) -> None:
    context = server_context(certificate_in(folder))
    with (
        TlsFront(context, host="127.0.0.1", port=0, upstream=("127.0.0.1", held.server.port)) as front,
        connect(f"wss://localhost:{front.port}/ws/btcusdt@trade", proxy=None, ssl=trusting(folder)) as client,
    ):
        client.ping().wait(20)
        (behind,) = held.server.connections
        behind.reset()
        with pytest.raises(ConnectionClosedError):
            client.recv(timeout=20)


def test_a_client_that_goes_is_gone_behind_it_too(held: Standing, folder: Path) -> None:
    context = server_context(certificate_in(folder))
    upstream = ("127.0.0.1", held.server.port)
    with TlsFront(context, host="127.0.0.1", port=0, upstream=upstream) as front:
        with connect(f"wss://localhost:{front.port}/ws/btcusdt@trade", proxy=None, ssl=trusting(folder)) as client:
            client.ping().wait(20)
            (behind,) = held.server.connections
            client.socket.close()
        assert behind.wait_gone(20)


def test_the_certificate_is_kept_and_its_key_is_its_owners(folder: Path) -> None:
    first = certificate_in(folder)
    before = first.certificate.read_bytes()
    assert certificate_in(folder).certificate.read_bytes() == before
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    first.key.write_bytes(b"not a key")
    assert certificate_in(folder).certificate.read_bytes() != before


def test_a_folder_that_cannot_hold_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        certificate_in(tmp_path / "file" / "tls")


def test_a_taken_port_is_named(front: TlsFront, folder: Path) -> None:
    with pytest.raises(PortTaken, match=str(front.port)):
        TlsFront(server_context(certificate_in(folder)), host="127.0.0.1", port=front.port, upstream=("127.0.0.1", 1))
