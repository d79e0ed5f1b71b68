"""The keys of `config.toml`: each with its type, its default, its bounds and its description.

Some values are calculated from several keys, such as the origin of links and the ports of a worker. The `config.toml`
at the root describes each key; a test compares it with this module.
"""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from web.config.addresses import is_address, is_loopback, without_password

Port = Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for any free one")]
Text = Annotated[str, Meta(max_length=500, description="a text")]
File = Annotated[str, Meta(max_length=4096, description='the path of a file, or ""')]
Seconds = Annotated[float, Meta(gt=0, le=86400 * 30, description="a number of seconds above 0")]


SECRET: dict[str, Any] = {"secret": "whole"}
"""`Meta(extra=SECRET)` marks a key whose value is never shown."""
SECRET_URL: dict[str, Any] = {"secret": "url"}
"""`Meta(extra=SECRET_URL)` marks a key whose value is a URL with secrets.

The URL is shown without the part that may be a password. If the URL is not valid, it is not shown at all."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One [section] of the settings file.

    Every key has a default; unknown keys are refused. The text that `repr` returns contains no secret.
    """

    def shown(self) -> dict[str, str]:
        """Return each key with its value, as a terminal or a log may show it: the values of secrets are hidden."""
        secrets = secrets_of(type(self))
        return {
            key: "[set]"
            if secrets.get(key) == "whole" and getattr(self, key)
            else without_password(str(getattr(self, key)))
            for key in self.__struct_fields__
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in self.shown().items())})"

    __str__ = __repr__


class Server(Section, frozen=True):
    """The section [server] defines the address of the pages, and the processes that serve them."""

    host: Annotated[str, Meta(min_length=1, description="an IP address or host name to listen on")] = (
        "127.0.0.1"
    )
    port: Port = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="a whole number from 1 to 256")] = 1
    public_url: Annotated[
        str, Meta(description='"https://" and a host name in ASCII (xn--…), perhaps with a path, or ""')
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="a list of IP addresses or networks of your reverse proxies")
    ] = ()
    drain_s: Seconds = 20.0
    demo: Annotated[Literal["auto", "yes", "no"], Meta(description='"auto", "yes" or "no"')] = "auto"


class Tls(Section, frozen=True):
    """The section [tls] names the files of the certificate and of its key; set both files or neither of them."""

    certificate: File = ""
    key: File = ""


class Redis(Section, frozen=True):
    """The section [redis] names the store; with an empty `url` the embedded Valkey is used."""

    url: Annotated[
        str,
        Meta(
            description='"redis://", "rediss://", "unix://", "redis+sentinel://" or "redis+cluster://" and an address, '
            'or "" for the embedded store',
            extra=SECRET_URL,
        ),
    ] = ""
    username: Text = ""
    password: Annotated[str, Meta(max_length=500, description="a text", extra=SECRET)] = ""
    password_file: File = ""
    ca: File = ""
    sentinel_username: Text = ""
    sentinel_password: Annotated[str, Meta(max_length=500, description="a text", extra=SECRET)] = ""
    sentinel_password_file: File = ""
    socket_timeout_s: Annotated[float, Meta(gt=0, le=60, description="seconds above 0, at most 60")] = 2.0


class Data(Section, frozen=True):
    """The section [data] names the folder for data on this machine's disk."""

    folder: Annotated[str, Meta(min_length=1, description="the path of a folder")] = "data"


class Media(Section, frozen=True):
    """The section [media] defines the media relay's ports, and the addresses that browsers receive for it."""

    host: Annotated[
        str, Meta(description='an IP address to receive media on, or "" for that of the pages')
    ] = ""
    ports: Port = 0
    announce: Annotated[
        tuple[str, ...], Meta(description="a list of IP addresses that browsers can reach")
    ] = ()
    rooms_max: Annotated[
        int, Meta(ge=0, le=100_000, description="a whole number of calls up to 100000, or 0 for no limit")
    ] = 0
    stun: Annotated[str, Meta(description='a STUN server such as "stun:stun.example.org:3478", or ""')] = ""
    tcp: Annotated[bool, Meta(description="true or false")] = True
    turn: Annotated[
        tuple[str, ...], Meta(description='a list of URLs such as "turns:turn.example.org:443?transport=tcp"')
    ] = ()
    turn_secret: Annotated[str, Meta(max_length=500, description="a text", extra=SECRET)] = ""
    turn_secret_file: File = ""


class Cluster(Section, frozen=True):
    """The section [cluster] names the region (a word of the operator's choice) in which this machine is, if several
    machines share a store.
    """

    region: Annotated[str, Meta(max_length=50, description='a name such as "eu-west", or ""')] = ""


class Metrics(Section, frozen=True):
    """The section [metrics] defines where metrics for Prometheus are served.

    If it has neither a port nor a token, they are not served.
    """

    host: Annotated[str, Meta(min_length=1, description="an IP address or host name to listen on")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")] = 0
    token: Annotated[str, Meta(max_length=500, description="a text", extra=SECRET)] = ""
    token_file: File = ""


class Tracing(Section, frozen=True):
    """The section [tracing] defines where OpenTelemetry sends traces. Without an `endpoint`, no traces are sent."""

    endpoint: Annotated[
        str,
        Meta(
            max_length=500,
            description='a URL such as "http://127.0.0.1:4318/v1/traces", or ""',
            extra=SECRET_URL,
        ),
    ] = ""
    sample_ratio: Annotated[float, Meta(gt=0, le=1, description="a number above 0, at most 1")] = 1.0


class Log(Section, frozen=True):
    """The section [log] defines the log lines on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description='"debug", "info", "warning" or "error"'),
    ] = "info"
    format: Annotated[Literal["auto", "text", "json"], Meta(description='"auto", "text" or "json"')] = "auto"


class Sessions(Section, frozen=True):
    """The section [sessions] defines how long a browser stays signed in."""

    idle_s: Seconds = 1800.0
    absolute_s: Seconds = 43200.0


class Limits(Section, frozen=True):
    """The section [limits] defines how much one client may use."""

    message_bytes: Annotated[
        int, Meta(ge=4096, le=1 << 20, description="a whole number of bytes from 4096 to 1048576")
    ] = 65536
    unsent_bytes: Annotated[
        int, Meta(ge=65536, le=1 << 26, description="a whole number of bytes from 65536 to 67108864")
    ] = 1048576
    hello_s: Annotated[float, Meta(gt=0, le=60, description="seconds above 0, at most 60")] = 5.0
    sockets_before_hello: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="a whole number of sockets up to 1000000, or 0 for no limit"),
    ] = 100
    sockets_per_address: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="a whole number of sockets up to 1000000, or 0 for no limit"),
    ] = 500
    sockets_per_person: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="a whole number of sockets up to 1000000, or 0 for no limit"),
    ] = 30
    visits_per_address: Annotated[
        int, Meta(ge=0, le=1_000_000, description="a whole number of visits up to 1000000, or 0 for no limit")
    ] = 60
    bookings_per_address: Annotated[
        int, Meta(ge=0, le=1_000_000, description="a whole number of visits up to 1000000, or 0 for no limit")
    ] = 10
    bookings_per_email: Annotated[
        int, Meta(ge=0, le=1_000_000, description="a whole number of visits up to 1000000, or 0 for no limit")
    ] = 4
    bookings_per_day: Annotated[
        int, Meta(ge=0, le=1_000_000, description="a whole number of visits up to 1000000, or 0 for no limit")
    ] = 500


class Mail(Section, frozen=True):
    """The section [mail] names the SMTP server for mails; without a `host`, mails are files in the data folder."""

    host: Annotated[
        str, Meta(max_length=255, description='the name or IP address of an SMTP server, or ""')
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 587
    tls: Annotated[Literal["starttls", "tls", "none"], Meta(description='"starttls", "tls" or "none"')] = (
        "starttls"
    )
    username: Text = ""
    password: Annotated[str, Meta(max_length=500, description="a text", extra=SECRET)] = ""
    password_file: File = ""
    sender: Annotated[
        str, Meta(max_length=254, description='an email address such as "visits@example.org"')
    ] = "greenroom@localhost"


class Retention(Section, frozen=True):
    """The section [retention] defines for how many days the audit entries of all organisations are kept."""

    audit_days: Annotated[
        int, Meta(ge=1, le=36_500, description="a whole number of days from 1 to 36500")
    ] = 2190


class Webhooks(Section, frozen=True):
    """The section [webhooks] lists private addresses to which the server may send events."""

    allow: Annotated[tuple[str, ...], Meta(description="a list of IP addresses or networks of your own")] = ()


class Settings(Section, frozen=True):
    """All settings of the server. They are immutable, and the same in every worker."""

    server: Server = Server()
    tls: Tls = Tls()
    redis: Redis = Redis()
    data: Data = Data()
    media: Media = Media()
    cluster: Cluster = Cluster()
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    log: Log = Log()
    sessions: Sessions = Sessions()
    limits: Limits = Limits()
    retention: Retention = Retention()

    @property
    def origin(self) -> str:
        """The beginning of links that people receive: scheme, host, port, path prefix, without a slash at the end."""
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        scheme, standard = ("https", 443) if self.tls.certificate else ("http", 80)
        host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(self.server.host, self.server.host)  # noqa: S104
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{scheme}://{host}" + ("" if self.server.port == standard else f":{self.server.port}")

    @property
    def path_prefix(self) -> str:
        """The path below which browsers find the pages, such as "/greenroom"; "" for none."""
        return urlsplit(self.origin).path

    @property
    def mails(self) -> bool:
        """Whether mails are sent by an SMTP server. Otherwise each mail is written to a file in the data folder."""
        return bool(self.mail.host)

    @property
    def public(self) -> bool:
        """Whether other machines can reach the pages, not only this machine."""
        return bool(self.server.public_url) or not is_loopback(self.server.host)

    @property
    def demo(self) -> bool:
        """Whether the demo is added to a store without organisations.

        It is added if [server] demo is "yes". If that key is "auto", it is added only if no other machine can
        reach the pages.
        """
        return self.server.demo == "yes" or (self.server.demo == "auto" and not self.public)

    @property
    def media_host(self) -> str:
        """The IP address on which the media relay receives: `host` of [media], or `host` of [server] if that is "".

        If `host` of [server] is a host name, the address is 127.0.0.1 for "localhost", otherwise 0.0.0.0.
        """
        if self.media.host:
            return self.media.host
        return {"localhost": "127.0.0.1"}.get(
            self.server.host,
            self.server.host if is_address(self.server.host) else "0.0.0.0",  # noqa: S104
        )

    def media_ports(self, index: int) -> tuple[int, ...]:
        """Return the UDP ports that the worker with this index may use, in the order in which it tries them.

        Returns (0,), any free port, if the setting is 0. There are twice as many ports as workers: a stopping worker
        needs its port until its calls have ended, and a new worker already takes its place.
        """
        first, count = self.media.ports, 2 * self.server.workers
        return tuple(first + (index + step) % count for step in range(count)) if first else (0,)

    @property
    def direct_port(self) -> int:
        """The port of the pages if browsers connect directly to this server; 0 if there is a proxy in between.

        Media over TCP can use the same port.
        """
        if self.server.trusted_proxies or (self.server.public_url and not self.tls.certificate):
            return 0
        return urlsplit(self.origin).port or (443 if self.secure else 80)

    @property
    def secure(self) -> bool:
        """Whether people open the pages by https, of this server or of a proxy; then cookies are `Secure`."""
        return self.origin.startswith("https://")


def sections() -> dict[str, type[Section]]:
    """Return the struct of each [section] by its name, in the order of the settings file."""
    return {name: hint for name, hint in get_type_hints(Settings).items() if isinstance(hint, type)}


@functools.cache
def secrets_of(section: type[Section]) -> Mapping[str, str]:
    """Return the keys of a section of config.toml that may hold a password: key -> "whole" or "url".

    "whole": the whole value is secret. "url": the value is a URL, and only a password in it is secret.
    """
    found: dict[str, str] = {}
    for key, hint in get_type_hints(section, include_extras=True).items():
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and (meta.extra or {}).get("secret"):
                found[key] = (meta.extra or {})["secret"]
    return found


def _meanings() -> dict[str, str]:
    """Return the description of each key: dotted key, such as "server.port" -> its text."""
    return {
        f"{name}.{key}": next(m.description or "" for m in get_args(hint)[1:] if isinstance(m, Meta))
        for name, section in sections().items()
        for key, hint in get_type_hints(section, include_extras=True).items()
    }


MEANINGS: Mapping[str, str] = _meanings()

SECRETS: Mapping[str, str] = {
    f"{name}.{key}": kind for name, section in sections().items() for key, kind in secrets_of(section).items()
}
"""Dotted key of a value that may contain a password -> "whole" or "url", as `secrets_of` returns it. No command, page
or log shows the password.
"""
