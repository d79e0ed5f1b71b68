"""The two codecs, JSON and MessagePack: they turn messages into bytes, and bytes into messages. Does no I/O.

`decode` raises `BadMessageError` for data that is no message of this protocol, `NotUtf8Error` for text that is not
UTF-8.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.errors import BadMessageError, NotUtf8Error
from signalling.protocol.client_messages import ClientMessage, Request, RequestId
from signalling.protocol.server_messages import Message, ServerMessage

JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL = "greenroom.v1.json", "greenroom.v1.msgpack"
SUBPROTOCOLS = (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL)


class _Head(msgspec.Struct):
    id: RequestId


class Codec:
    """One of the two encodings of messages; the client chooses it as the WebSocket's subprotocol.

    `text`: True if messages are sent in text frames. `opcode`: the opcode of the frames (RFC 6455 §5.2).
    """

    def __init__(self, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.text = subprotocol == JSON_SUBPROTOCOL
        self.opcode = 0x1 if self.text else 0x2
        kind: Any = msgspec.json if self.text else msgspec.msgpack
        self._encode = kind.Encoder().encode
        self._client = kind.Decoder(ClientMessage).decode
        self._server = kind.Decoder(ServerMessage).decode
        self._head = kind.Decoder(_Head).decode

    def encode(self, message: Message | Request) -> bytes:
        """Return a message as bytes, encoded by this codec."""
        encoded: bytes = self._encode(message)
        return encoded

    def decode(self, data: bytes | str) -> ClientMessage:
        """Return the message in a client's data.

        Raises `BadMessageError` if the data is no message of a client, `NotUtf8Error` if it is text but not UTF-8.
        """
        try:
            decoded: ClientMessage = self._client(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
            if self.text and not _is_utf8(data):
                raise NotUtf8Error from None
            # The whole message is invalid, so only its id is decoded: the reply then names the request that
            # was wrong.
            try:
                reply_to = self._head(data).id
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                reply_to = None
            raise BadMessageError(_path(problem), reply_to) from None
        return decoded

    def decode_server(self, data: bytes | str) -> ServerMessage:
        """Return the message in data that a server has sent. Clients call this.

        Raises `msgspec.DecodeError` if the data is no message of a server.
        """
        decoded: ServerMessage = self._server(data)
        return decoded


def _is_utf8(data: bytes | str) -> bool:
    if isinstance(data, str):
        return True
    try:
        data.decode()
    except UnicodeError:
        return False
    return True


def _path(problem: Exception) -> str:
    """Return the place of the wrong value in a message, such as `$.sdp`. `problem`: the error of msgspec.

    The returned text has no content of the message.
    """
    text = str(problem)
    if text.startswith("Object contains unknown field"):
        # the field's name may be any text that a client sends, so the returned text does not repeat it
        return "$"
    where = text.rsplit(" - at `", 1)[1].rstrip("`") if " - at `" in text else "$"
    return where[:80]


CODECS = {subprotocol: Codec(subprotocol) for subprotocol in SUBPROTOCOLS}
