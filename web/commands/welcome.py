"""Writes the text that the terminal shows when the server answers: its links, and how to sign in to the demo.

It reads the store directly, because the process that prints the text has no web application.
"""

import msgspec
from redis.exceptions import RedisError

from signalling.store import keys
from web.config import Settings, is_loopback
from web.identity.accounts import Account
from web.mail.carriers import where
from web.organisations import demo
from web.server.redis_client import connect_now
from web.server.tls import lan_links


def welcome(settings: Settings) -> str:
    """Return the text for the terminal: the links for patients and staff, and how to sign in to the demo.

    Without the demo, the text lists the organisations; without any organisation, it names the command that
    creates one. If the store does not answer, the text has only the server's origin and the links for phones
    nearby. Only the first call after the demo was created returns the passwords of the demo.
    """
    try:
        names, people, fresh = _found(settings)
    except (RedisError, OSError):
        return "\n".join([f"Greenroom is at {settings.origin}", *_nearby(settings)])
    lines = [f"Greenroom is at {settings.origin}"]
    for name in names:
        lines += [f"  Patients  {settings.origin}/{name}", f"  Staff     {settings.origin}/{name}/staff"]
    lines.append(f"  Mail      {where(settings)}")
    if not names:
        lines.append(
            "  There is no organisation yet. Set up the first one and its administrator, at another terminal:"
        )
        lines.append(
            "    greenroom init        (with the --config or --data that the server was started with)"
        )
    shown = [row for row in demo.PEOPLE if row[1] in people and not people[row[1]].disabled]
    if shown:
        lines.append("  Sign in to the demo as")
    for _, email, name, role, _ in shown:
        secret = demo.password(settings, email) if fresh and people[email].generation == 1 else ""
        lines.append(
            f"    {email:<24} {secret:<30} {name}, {role}" if fresh else f"    {email:<24} {name}, {role}"
        )
    if shown and fresh:
        lines.append("  These passwords are printed this once.")
    elif shown:
        lines.append(
            "  Their passwords were printed when the demo was made; for a new one: greenroom user password EMAIL"
        )
    return "\n".join([*lines, *_nearby(settings)])


def _nearby(settings: Settings) -> list[str]:
    """Return one line per link by which a phone on this network reaches the server."""
    if not settings.tls.certificate or is_loopback(settings.server.host):
        return []
    return [f"  From a phone on this network: {link}" for link in lan_links(settings)]


def _found(settings: Settings) -> tuple[list[str], dict[str, Account], bool]:
    """Return three values: the organisations' ids, the demo's accounts, and whether the demo was just created.

    The accounts are a map from email address to account.
    """
    client = connect_now(settings.redis, settings.redis.socket_timeout_s)
    try:
        names = sorted(name.decode() for name in client.smembers(keys.ORGANISATIONS()))
        kept = client.hvals(keys.ACCOUNTS(demo.ID))
        found = [msgspec.json.decode(record, type=Account) for record in kept]
        fresh = demo.ID in names and client.getdel(demo.FRESH) is not None
    finally:
        client.close()
    return names, {account.email: account for account in found}, fresh
