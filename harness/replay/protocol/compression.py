"""What is agreed about compression when a client offers it.

Source: RFC 7692, 7.1; the answer, `server_no_context_takeover; client_max_window_bits=15`, as observed on the spot
engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.extensions.base import Extension
    from websockets.typing import ExtensionParameter

_WINDOW_BITS: Final = 15


class Deflate(ServerPerMessageDeflateFactory):
    """Accepts an offer as Binance does; one for a smaller window of the server is passed over.

    The frames of a recording are compressed once for all clients, with the largest window.
    """

    def __init__(self) -> None:
        super().__init__(server_no_context_takeover=True, client_max_window_bits=_WINDOW_BITS)

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """The parameters of the answer, and the extension; raises NegotiationError for an offer to pass over."""
        answer, extension = super().process_request_params(params, accepted_extensions)
        if dict(answer).get("server_max_window_bits", str(_WINDOW_BITS)) != str(_WINDOW_BITS):
            raise NegotiationError("frames are compressed with a window of 15 bits")
        return answer, extension
