"""Settings: what `config.toml` may say, checked before anything starts.

Knows every key, its default, its bounds and the words that explain it; reads the file; says in one sentence what
is wrong. Knows nothing of how a setting is used. The `config.toml` of the root documents each key for people; a test
compares it with this module.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

EXIT_CODE = 2
"""What the process exits with when it cannot start as it was told to."""

Port = Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for any free one")]
Text = Annotated[str, Meta(max_length=500, description="a text")]
File = Annotated[str, Meta(max_length=4096, description='the path of a file, or ""')]
Seconds = Annotated[float, Meta(gt=0, le=86400 * 30, description="a number of seconds above 0")]


class ConfigError(Exception):
    """The server cannot start as it was told to; the text is one sentence for the person who started it."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One [section] of the file: every key has a default, none may be invented."""


class Server(Section, frozen=True):
    """[server] where people reach the pages."""

    host: Annotated[str, Meta(min_length=1, description="an IP address or host name to listen on")] = (
        "127.0.0.1"
    )
    port: Port = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="a whole number from 1 to 256")] = 1
    public_url: Annotated[str, Meta(description='"https://" and a host name, without a path, or ""')] = ""
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="a list of IP addresses or networks of your reverse proxies")
    ] = ()
    drain_s: Seconds = 20.0


class Tls(Section, frozen=True):
    """[tls] the certificate; both keys or none."""

    certificate: File = ""
    key: File = ""


class Redis(Section, frozen=True):
    """[redis] the store; an empty `url` is the embedded Valkey."""

    url: Annotated[
        str,
        Meta(description='"redis://", "rediss://" or "unix://" and an address, or "" for the embedded store'),
    ] = ""
    socket_timeout_s: Annotated[float, Meta(gt=0, le=60, description="seconds above 0, at most 60")] = 2.0


class Data(Section, frozen=True):
    """[data] what is kept on this machine's disk."""

    folder: Annotated[str, Meta(min_length=1, description="the path of a folder")] = "data"


class Media(Section, frozen=True):
    """[media] the relay's UDP ports and the addresses that browsers are told."""

    host: Annotated[
        str, Meta(description='an IP address to receive media on, or "" for that of the pages')
    ] = ""
    ports: Port = 0
    announce: Annotated[
        tuple[str, ...], Meta(description="a list of IP addresses that browsers can reach")
    ] = ()


class Log(Section, frozen=True):
    """[log] what is written to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description='"debug", "info", "warning" or "error"'),
    ] = "info"
    format: Annotated[Literal["auto", "text", "json"], Meta(description='"auto", "text" or "json"')] = "auto"


class Sessions(Section, frozen=True):
    """[sessions] how long a signed-in browser stays signed in."""

    idle_s: Seconds = 1800.0
    absolute_s: Seconds = 43200.0


class Limits(Section, frozen=True):
    """[limits] what one client may cost."""

    message_bytes: Annotated[
        int, Meta(ge=4096, le=1 << 20, description="a whole number of bytes from 4096 to 1048576")
    ] = 65536
    unsent_bytes: Annotated[
        int, Meta(ge=65536, le=1 << 26, description="a whole number of bytes from 65536 to 67108864")
    ] = 1048576
    hello_s: Annotated[float, Meta(gt=0, le=60, description="seconds above 0, at most 60")] = 5.0
    visits_per_address: Annotated[
        int, Meta(ge=0, le=1_000_000, description="a whole number of visits up to 1000000, or 0 for no limit")
    ] = 60


class Mail(Section, frozen=True):
    """[mail] the SMTP server that mail leaves through; without a `host`, mails are files in the data folder."""

    host: Annotated[
        str, Meta(max_length=255, description='the name or IP address of an SMTP server, or ""')
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 587
    tls: Annotated[Literal["starttls", "tls", "none"], Meta(description='"starttls", "tls" or "none"')] = (
        "starttls"
    )
    username: Text = ""
    password: Text = ""
    password_file: File = ""
    sender: Annotated[
        str, Meta(max_length=254, description='an email address such as "visits@example.org"')
    ] = "greenroom@localhost"


class Retention(Section, frozen=True):
    """[retention] how long what no organisation chooses for itself is kept."""

    audit_days: Annotated[int, Meta(ge=1, le=36_500, description="a whole number of days from 1 to 36500")] = 2190


class Webhooks(Section, frozen=True):
    """[webhooks] where the server may be told to send events."""

    allow: Annotated[tuple[str, ...], Meta(description="a list of IP addresses or networks of your own")] = ()


class Settings(Section, frozen=True):
    """Everything the server is told; immutable, and the same object in every worker."""

    server: Server = Server()
    tls: Tls = Tls()
    redis: Redis = Redis()
    data: Data = Data()
    media: Media = Media()
    mail: Mail = Mail()
    webhooks: Webhooks = Webhooks()
    log: Log = Log()
    sessions: Sessions = Sessions()
    limits: Limits = Limits()
    retention: Retention = Retention()

    @property
    def origin(self) -> str:
        """The scheme, host and port of the links that are given to people, without a slash at the end."""
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        scheme, standard = ("https", 443) if self.tls.certificate else ("http", 80)
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.server.host, self.server.host)  # noqa: S104
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{scheme}://{host}" + ("" if self.server.port == standard else f":{self.server.port}")

    @property
    def media_host(self) -> str:
        """The IP address that the relay receives on: its own setting, or the one that the pages are served on."""
        if self.media.host:
            return self.media.host
        return {"localhost": "127.0.0.1"}.get(
            self.server.host,
            self.server.host if _is_address(self.server.host) else "0.0.0.0",  # noqa: S104
        )

    def media_ports(self, index: int) -> tuple[int, ...]:
        """The UDP ports that the worker with this index may take, its own first, then its neighbours'; 0 is any.

        There are twice as many as workers, since a worker that ends its calls has a successor already.
        """
        first, count = self.media.ports, 2 * self.server.workers
        return tuple(first + (index + step) % count for step in range(count)) if first else (0,)

    @property
    def secure(self) -> bool:
        """Whether people reach the pages by https, here or at a proxy in front; then cookies are `Secure`."""
        return self.origin.startswith("https://")


def sections() -> dict[str, type[Section]]:
    """The struct of each [section], by name, in the order of the file."""
    return {name: hint for name, hint in get_type_hints(Settings).items() if isinstance(hint, type)}


def _meanings() -> dict[str, str]:
    """What each dotted key expects, in words."""
    return {
        f"{name}.{key}": next(m.description or "" for m in get_args(hint)[1:] if isinstance(m, Meta))
        for name, section in sections().items()
        for key, hint in get_type_hints(section, include_extras=True).items()
    }


MEANINGS: Mapping[str, str] = _meanings()


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of the file at `path` (None: defaults), with dotted `overrides` (`{"server.port": 9}`) on top.

    Paths are relative to the file's folder. Raises ConfigError, naming the file, the key and what is expected.
    """
    if path is None:
        source, base, raw = "settings", Path.cwd(), {}
    else:
        source, base, raw = str(path), path.resolve().parent, _read(path)
    settings = parse(raw, source)
    if overrides:
        settings = _override(settings, overrides)
    return _anchored(settings, base)


def parse(raw: Mapping[str, Any], source: str) -> Settings:
    """The settings that the parsed TOML `raw` says. Raises ConfigError whose text begins with `source`."""
    _known_keys(raw, source)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise _explained(error, raw, source) from None
    for key, check in CHECKS.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        if not check(value):
            raise _wrong(source, key, value)
    for rule in RULES:
        if problem := rule(settings):
            raise ConfigError(f"{source}: {problem}")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: this is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _override(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    raw = msgspec.to_builtins(settings)
    for key, value in overrides.items():
        section, _, name = key.partition(".")
        raw[section][name] = value
    return parse(raw, "command line")


def _anchored(settings: Settings, base: Path) -> Settings:
    """The same settings with every path absolute, so that no later change of folder can move the data."""

    def absolute(path: str) -> str:
        return str((base / Path(path).expanduser()).absolute()) if path else ""

    replace = msgspec.structs.replace
    return replace(
        settings,
        data=replace(settings.data, folder=absolute(settings.data.folder)),
        mail=replace(settings.mail, password_file=absolute(settings.mail.password_file)),
        tls=replace(
            settings.tls, certificate=absolute(settings.tls.certificate), key=absolute(settings.tls.key)
        ),
    )


def _known_keys(raw: Mapping[str, Any], source: str) -> None:
    known = sections()
    for name, table in raw.items():
        if name not in known:
            raise ConfigError(f"{source}: {name}: there is no such section{_near(name, known)}")
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"{source}: {name}: expected a section, written [{name}]; found {_shown(table)}"
            )
        keys = known[name].__struct_fields__
        for key in table:
            if key not in keys:
                raise ConfigError(f"{source}: {name}.{key}: there is no such key{_near(key, keys)}")


def _near(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _explained(error: msgspec.ValidationError, raw: Mapping[str, Any], source: str) -> ConfigError:
    path = re.search(r"\$\.([a-z_]+)\.([a-z_]+)", str(error))
    assert path, error  # every leaf of Settings is two levels deep
    section, name = path.groups()
    return _wrong(source, f"{section}.{name}", raw[section][name])


SECRET = ("redis.url", "mail.password")
"""Values that may hold a password, and are never repeated to a terminal or a log."""


def _wrong(source: str, key: str, value: object) -> ConfigError:
    found = "" if key in SECRET else f"; found {_shown(value)}"
    return ConfigError(f"{source}: {key}: expected {MEANINGS[key]}{found}")


def _shown(value: object) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 80 else text[:77] + "..."


def _is_origin(url: str) -> bool:
    if not url:
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    return plain and bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host`, as written in the settings, is reached from this machine only."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


MAILBOX = re.compile(r"[^@\s<>()\[\],;:\"\\\\]{1,64}@[A-Za-z0-9.-]{1,189}")

CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "server.public_url": _is_origin,
    "server.trusted_proxies": lambda found: all(map(_is_network, found)),
    "redis.url": lambda url: not url or url.startswith(("redis://", "rediss://", "unix://")),
    "mail.sender": lambda address: MAILBOX.fullmatch(address) is not None,
    "webhooks.allow": lambda found: all(map(_is_network, found)),
    "media.host": lambda host: not host or _is_address(host),
    "media.announce": lambda found: all(map(_is_address, found)),
}
"""What a type and its bounds cannot say, by dotted key."""


def _tls_pair(settings: Settings) -> str:
    certificate, key = settings.tls.certificate, settings.tls.key
    if bool(certificate) == bool(key):
        return ""
    missing = "key" if certificate else "certificate"
    return f"tls.{missing}: expected the path of a PEM file, as the other key of [tls] is set"


def _mail_password(settings: Settings) -> str:
    mail = settings.mail
    if mail.password and mail.password_file:
        return 'mail.password_file: expected "", as mail.password is set'
    if bool(mail.username) != bool(mail.password or mail.password_file):
        return "mail.username: expected a username together with a password or password_file, or neither"
    if mail.username and mail.tls == "none" and not is_loopback(mail.host):
        return 'mail.tls: expected "starttls" or "tls", as a password is sent to another machine'
    return ""


def _ports_fit(settings: Settings) -> str:
    fit = settings.media.ports + 2 * settings.server.workers <= 65536
    return "" if fit else "media.ports: expected a first port that leaves two for each worker below 65536"


def _timeouts_nest(settings: Settings) -> str:
    nest = settings.sessions.idle_s <= settings.sessions.absolute_s
    return "" if nest else "sessions.idle_s: expected at most what sessions.absolute_s says"


def refuse_plain_http(settings: Settings) -> None:
    """Raises ConfigError when strangers could read along: plain http is for this machine alone."""
    if not (settings.secure or is_loopback(settings.server.host)):
        raise ConfigError(
            f"server.host: {settings.server.host} can be reached from outside, which takes https: set tls.certificate "
            "and tls.key, or server.public_url to the https:// address of your proxy, or start with --self-signed"
        )


RULES: tuple[Callable[[Settings], str], ...] = (_tls_pair, _ports_fit, _mail_password, _timeouts_nest)
"""What keys demand of one another; each returns the problem in words, or an empty text."""
