"""Contains rules of the settings that types and bounds cannot express, for single keys and between keys.

A check of a single key returns whether the value is allowed. A rule between keys returns its problem in words; "" if
there is none. `reading.py` applies them to every file. Whether plain http is allowed is checked only when a server
starts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from web.config.addresses import (
    MAILBOX,
    is_address,
    is_http_url,
    is_loopback,
    is_network,
    is_public_url,
    is_stun,
    is_turn,
)
from web.config.keys import Settings
from web.config.store_address import Kind, store_address
from web.errors import ConfigError

EXIT_CODE = 2
"""The exit code of `greenroom` if a server cannot start because of its settings."""


LEAST_TOKEN = 16

CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "server.public_url": is_public_url,
    "server.trusted_proxies": lambda found: all(map(is_network, found)),
    "mail.sender": lambda address: MAILBOX.fullmatch(address) is not None,
    "tracing.endpoint": lambda url: not url or is_http_url(url),
    "webhooks.allow": lambda found: all(map(is_network, found)),
    "media.host": lambda host: not host or is_address(host),
    "media.announce": lambda found: all(map(is_address, found)),
    "media.stun": lambda url: not url or is_stun(url),
    "media.turn": lambda found: all(map(is_turn, found)),
}
"""Dotted key -> a check of its value that a type and its bounds cannot express; it returns True if the value
is allowed."""


def _tls_pair(settings: Settings) -> str:
    certificate, key = settings.tls.certificate, settings.tls.key
    if bool(certificate) == bool(key):
        return ""
    missing = "key" if certificate else "certificate"
    return f"tls.{missing}: expected the path of a PEM file, as the other key of [tls] is set"


def _store(settings: Settings) -> str:
    store = settings.redis
    access = [
        key
        for key in store.__struct_fields__
        if key not in ("url", "socket_timeout_s") and getattr(store, key)
    ]
    if not store.url:
        return f'redis.{access[0]}: expected "", as redis.url is empty' if access else ""
    try:
        address = store_address(store.url)
    except ValueError as problem:
        return f"redis.url: {problem}"
    for key in access:
        if key.startswith("sentinel_") and address.kind is not Kind.SENTINEL:
            return f'redis.{key}: expected "", as redis.url names no Sentinels'
        if key.endswith("password_file") and getattr(store, key.removesuffix("_file")):
            return f'redis.{key}: expected "", as redis.{key.removesuffix("_file")} is set'
    if address.has_password and (store.password or store.password_file):
        return 'redis.password: expected "", and no redis.password_file, as redis.url has a password'
    if store.ca and not address.tls:
        return 'redis.ca: expected "", as redis.url does not begin with "rediss"'
    return ""


def _mail_password(settings: Settings) -> str:
    mail = settings.mail
    if mail.password and mail.password_file:
        return 'mail.password_file: expected "", as mail.password is set'
    if bool(mail.username) != bool(mail.password or mail.password_file):
        return "mail.username: expected a username together with a password or password_file, or neither"
    if mail.username and mail.tls == "none" and not is_loopback(mail.host):
        return 'mail.tls: expected "starttls" or "tls", as a password is sent to another machine'
    return ""


def _one_public_address(settings: Settings) -> str:
    both = settings.media.announce and settings.media.stun
    return 'media.stun: expected "", as media.announce is set' if both else ""


def _turn(settings: Settings) -> str:
    media = settings.media
    if media.turn_secret and media.turn_secret_file:
        return 'media.turn_secret_file: expected "", as media.turn_secret is set'
    if bool(media.turn) != bool(media.turn_secret or media.turn_secret_file):
        return "media.turn: expected URLs together with a turn_secret or turn_secret_file, or neither"
    return ""


def _metrics_token(settings: Settings) -> str:
    metrics = settings.metrics
    if metrics.token and metrics.token_file:
        return 'metrics.token_file: expected "", as metrics.token is set'
    if 0 < len(metrics.token) < LEAST_TOKEN:
        return f"metrics.token: expected at least {LEAST_TOKEN} characters"
    return ""


def _ports_fit(settings: Settings) -> str:
    fit = settings.media.ports + 2 * settings.server.workers <= 65536
    return "" if fit else "media.ports: expected a first port that leaves two for each worker below 65536"


def _timeouts_nest(settings: Settings) -> str:
    nest = settings.sessions.idle_s <= settings.sessions.absolute_s
    return "" if nest else "sessions.idle_s: expected at most what sessions.absolute_s says"


RULES: tuple[Callable[[Settings], str], ...] = (
    _tls_pair,
    _store,
    _ports_fit,
    _one_public_address,
    _turn,
    _mail_password,
    _metrics_token,
    _timeouts_nest,
)
"""Rules between keys; each returns the problem in words, "" if there is none."""


def refuse_plain_http(settings: Settings) -> None:
    """Raise ConfigError if other machines can connect to the pages by plain http: other people could then read what
    is sent.
    """
    if not (settings.secure or is_loopback(settings.server.host)):
        raise ConfigError(
            f"server.host: {settings.server.host} can be reached from outside, which takes https: set tls.certificate "
            "and tls.key, or server.public_url to the https:// address of your proxy, or start with --self-signed"
        )
