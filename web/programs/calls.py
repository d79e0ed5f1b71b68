"""Posts to servers of other people: to public addresses only, with a time-out, and without following redirects.

Knows no kind of receiver, and not what its answer means.
"""

from collections.abc import Mapping, Sequence

import aiohttp

from web.errors import AddressRefusedError
from web.languages.i18n import N_
from web.programs.public_addresses import Network, connector, url_problem

EACH_S = 10.0
ANSWER_BYTES = 4096
"""The number of bytes of an answer that are read, so that the connection ends properly; the content is ignored."""

NOT_ALLOWED = N_("the address is not public")
NO_ANSWER = N_("no answer in time")
NO_CONNECTION = N_("no connection")
BAD_CERTIFICATE = N_("the certificate is not valid")


async def post(
    url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network]
) -> tuple[int, str | None]:
    """Return the receiver's status and None, or 0 and why there is no answer, in English, to be translated.

    `allowed`: networks that may be called although they are not public.
    """
    # Checked at each call, as the settings may have changed; for an IP address in a URL the resolver is not called.
    if url_problem(url, allowed) is not None:
        return 0, NOT_ALLOWED
    reaches, sockets = connector(allowed)
    try:
        async with (
            aiohttp.ClientSession(
                connector=reaches,
                timeout=aiohttp.ClientTimeout(total=EACH_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            await answer.content.read(ANSWER_BYTES)
            return answer.status, None
    except AddressRefusedError:
        return 0, NOT_ALLOWED
    except TimeoutError:
        return 0, NO_ANSWER
    except aiohttp.ClientConnectorCertificateError:
        return 0, BAD_CERTIFICATE
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if sockets.refused or isinstance(error.__cause__, AddressRefusedError):
            return 0, NOT_ALLOWED
        return 0, NO_CONNECTION
