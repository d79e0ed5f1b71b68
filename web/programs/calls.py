"""Sends POST requests to external servers: only to public addresses, with a time limit, and following no redirect."""

from collections.abc import Mapping, Sequence

import aiohttp

from web.errors import AddressRefusedError
from web.languages.i18n import N_
from web.programs.public_addresses import Network, connector, url_problem

EACH_S = 10.0
ANSWER_BYTES = 4096
"""The greatest number of bytes of an answer that are read. They are not used, but unread bytes would make the receiver
see an aborted connection."""

NOT_ALLOWED = N_("the address is not public")
NO_ANSWER = N_("no answer in time")
NO_CONNECTION = N_("no connection")
BAD_CERTIFICATE = N_("the certificate is not valid")


async def post(
    url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network]
) -> tuple[int, str | None]:
    """Send a POST request; return (the receiver's status, None), or (0, the reason) if there is no answer.

    The reason is an English sentence, which pages translate. `allowed`: networks that may be called although they are
    not public.
    """
    # The URL is checked at each call, because the settings may have changed since it was stored. `Resolver` checks only
    # the addresses of a host name, so an IP address in the URL must be checked here.
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
