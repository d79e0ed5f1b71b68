"""Reads posted forms: in UTF-8, with a limit of bytes for each page; other bodies are refused before they are read.

Only the two encodings of HTML forms are read. A codec or compression that the client chooses is never used, because it
could keep a worker busy.
"""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from multidict import CIMultiDictProxy, MultiDict, MultiDictProxy

from web.requests.security import SAFE_METHODS, Handler

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MOST_FIELDS = 1000
MOST_PARTS = 50
"""The greatest number of parts in a multipart form; aiohttp needs 0.2 ms for each."""
BODY_S = 12.0
"""The time limit in s for a body. It is less than the 15 s after which a half-sent request is closed (SECURITY.md row
16), so that an answer can be sent.
"""
UTF_8 = re.compile(r'"?utf-?8"?', re.ASCII | re.IGNORECASE)
CHARSET = re.compile(r";\s*charset\*?[0-9]*\*?\s*=\s*([^;]*)", re.IGNORECASE)
CHARSET_PART = re.compile(rb"name\s*=\s*\"?_charset_", re.IGNORECASE)
PLAIN = frozenset({"", "7bit", "8bit", "binary", "identity"})
"""The encodings (Content-Transfer-Encoding) that leave the bytes of a part of a form as they are; "" for no header."""


class Posted(NamedTuple):
    """A posted form: its fields in order (a name may repeat), and its files by name."""

    fields: MultiDictProxy[str]
    files: dict[str, bytes]


POSTED = web.RequestKey("posted form", Posted)
"""The key under which a request contains its posted form after `read_posted` has read it."""


def refuse_other_encodings(exempt: Callable[[web.Request], bool]) -> Middleware:
    """Return a middleware that answers HTTP 415 to a body that is not a form in UTF-8, before it reads the body.

    `exempt`: returns True for a request whose body the middleware does not check.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in SAFE_METHODS and not exempt(request):
            check_encoding(request, URLENCODED, MULTIPART)
        return await handler(request)

    return check


def check_encoding(request: web.Request, *kinds: str) -> None:
    """Raise HTTP 415 if the request's body has none of these content types, is not in UTF-8, or is compressed."""
    if "Content-Encoding" in request.headers:
        # This makes aiohttp drop the rest of the body; otherwise aiohttp would read and decompress it first.
        request.content.feed_eof()
        raise web.HTTPUnsupportedMediaType
    if not request.can_read_body:
        return
    if request.content_type not in kinds or not is_utf_8(request.headers):
        raise web.HTTPUnsupportedMediaType


def is_utf_8(headers: CIMultiDictProxy[str]) -> bool:
    """Return True if a Content-Type names UTF-8 as its charset, or names no charset."""
    named = CHARSET.findall(headers.get("Content-Type", ""))
    return all(UTF_8.fullmatch(name.strip()) for name in named)


async def read_body(request: web.Request, most: int) -> bytes:
    """Return the request's body.

    Raises HTTP 413 if it has more than `most` bytes, 408 if it takes more than BODY_S seconds.
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_S):
            return await request.clone(client_max_size=most).read()
    except TimeoutError:
        # This makes aiohttp drop the rest of the body; otherwise aiohttp would wait for it ten more seconds.
        request.content.feed_eof()
        raise web.HTTPRequestTimeout from None


async def read_posted(request: web.Request, most: int, *kinds: str) -> Posted:
    """Return the posted form; it is read once per request.

    `most`: the greatest size in bytes; `kinds`: the allowed content types. Raises HTTP 400 if the body cannot be
    read as its content type says, 408 if it takes too long, 413 if it is too large, and 415 if its type is not allowed.
    """
    if request.content_type not in kinds:
        raise web.HTTPUnsupportedMediaType
    if POSTED in request:
        return request[POSTED]
    check_encoding(request, *kinds)
    if request.content_type == MULTIPART:
        posted = await _multipart(request, most)
    else:
        posted = Posted(MultiDictProxy(MultiDict(_pairs(await read_body(request, most)))), {})
    if not UTF_8.fullmatch(posted.fields.get("_charset_", "utf-8")):
        raise web.HTTPUnsupportedMediaType
    request[POSTED] = posted
    return posted


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise web.HTTPBadRequest from None


async def _multipart(request: web.Request, most: int) -> Posted:
    body = await read_body(request, most)
    # A form with a field `_charset_` is refused, because aiohttp would use the value of this field as the codec
    # of all other fields.
    if CHARSET_PART.search(body):
        raise web.HTTPUnsupportedMediaType
    # A body must begin with its first part. In any other body, aiohttp would search for that part line by line, which
    # takes long.
    if not body.startswith((b"--", b"\r\n--")):
        raise web.HTTPBadRequest
    stream = StreamReader(BaseProtocol(asyncio.get_running_loop()), most + 1, loop=asyncio.get_running_loop())
    stream.feed_data(body)
    stream.feed_eof()
    try:
        return await _parts(MultipartReader(request.headers, stream))
    except (
        ValueError,
        RuntimeError,
        AssertionError,
        HttpProcessingError,
        # If the body is no valid multipart form, aiohttp raises one of these errors. The answer is HTTP 400.
    ):
        raise web.HTTPBadRequest from None


async def _parts(reader: MultipartReader) -> Posted:
    fields: MultiDict[str] = MultiDict()
    files: dict[str, bytes] = {}
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or not part.name or len(fields) + len(files) >= MOST_PARTS:
            raise web.HTTPBadRequest
        if not _is_plain(part.headers):
            raise web.HTTPUnsupportedMediaType
        data = bytes(await part.read(decode=False))
        if part.filename is None:
            fields.add(part.name, data.decode())
        else:
            files.setdefault(part.name, data)
    return Posted(MultiDictProxy(fields), files)


def _is_plain(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether a part of a form is sent without an encoding and with no charset except UTF-8, by its headers."""
    how = [
        headers.get(name, "").strip().lower() for name in ("Content-Transfer-Encoding", "Content-Encoding")
    ]
    return set(how) <= PLAIN and is_utf_8(headers)
