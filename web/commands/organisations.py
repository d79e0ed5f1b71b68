"""Defines `greenroom organisation` and `greenroom user`: they manage organisations and accounts without a browser.

They work on the store of the server that runs on the same data folder, or on the store in redis.url. The
workers receive each change as if it were made in the browser. An error is printed as one sentence.
"""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from signalling.visit.record import Role
from web.commands.options import ConfigOption, DataOption, data_folder, embedded_url, settings_from
from web.config import Settings
from web.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from signalling.store.audit_log import AuditLog
    from signalling.store.records import Store
    from web.identity.accounts import Account

organisation_app = typer.Typer(help="Add and list organisations.", no_args_is_help=True)
user_app = typer.Typer(help="Add, list, disable and enable people of an organisation.", no_args_is_help=True)

PASSWORD_BYTES = 15
OrganisationOption = Annotated[
    str | None,
    typer.Option("--organisation", "-o", help="The organisation’s slug; not needed where there is one only."),
]
StdinOption = Annotated[
    bool, typer.Option("--stdin", help="Read the password from standard input instead of drawing one.")
]


def located(settings: Settings) -> Settings:
    """Return the settings with the store's address, and with the origin of the running server.

    The server that runs on the data folder writes the address of its embedded store, and its origin, into
    this folder. Raises ConfigError if redis.url is empty and no server runs on the data folder.
    """
    from web.server.valkey import running_origin

    folder = Path(settings.data.folder)
    origin = running_origin(folder)
    if origin is not None:
        settings = replace(settings, server=replace(settings.server, public_url=origin))
    if settings.redis.url:
        return settings
    url = embedded_url(folder)
    if url is None:
        raise ConfigError(
            f"no Greenroom is running on {folder}: start it with `greenroom serve`, or name another folder with --data"
        )
    return replace(settings, redis=replace(settings.redis, url=url))


class Office:
    """Gives one command access to the organisations and accounts in the store, as an async context manager."""

    def __init__(self, settings: Settings) -> None:
        from web.identity.accounts import Accounts, Hasher
        from web.organisations.documents import Organisations
        from web.server.redis_client import connect

        self.settings = settings
        self.redis = connect(settings)
        self.organisations = Organisations(self.redis)
        self.hasher = Hasher()
        self.accounts = Accounts(self.redis, self.hasher)
        self._audit_log: AuditLog | None = None
        self._store: Store

    async def audit_log(self) -> "AuditLog":
        """Return an object that writes and reads the audit logs.

        Raises CommandError if the server's data key is missing, because each entry needs it.
        """
        from signalling.store.audit_log import AuditLog, key_of
        from signalling.store.encryption import Seal
        from signalling.store.records import Store
        from web.audit.seen_entries import SeenEntriesFile
        from web.server import data_key as secret

        folder = Path(self.settings.data.folder)
        if not (folder / secret.FILE).exists():
            raise CommandError(
                f"{folder / secret.FILE} is not here: name the server’s data folder with --data; what is done "
                "has its entry in the audit log, which takes that key."
            )
        keys = await secret.check(self.redis, secret.content(folder))
        if self._audit_log is None:
            self._store = store = Store(self.redis, Seal(keys))
            root = key_of(secret.data_key(folder))
            self._audit_log = AuditLog(store, root, self.organisations, SeenEntriesFile(folder))
        # The keys are read again, because a rotation may have changed them since this command began.
        self._store.seal.replace(keys)
        return self._audit_log

    async def store(self) -> "Store":
        """Return the object that reads and writes the records of visits in the store.

        Raises CommandError if the server's data key is missing.
        """
        await self.audit_log()
        return self._store

    async def note(self, slug: str, what: str, about: str = "") -> None:
        """Add an audit entry with the name `what` to an organisation's log; its author is the operator of this command.

        `about`: the id of the account or object. Raises CommandError if the server's data key is missing.
        """
        audit_log = await self.audit_log()
        await audit_log.write(slug, f"command:{_operator()}", what, about)
        await audit_log.bind_all(slug)

    async def slug(self, named: str | None) -> str:
        """Return the id of the named organisation; for None, the id of the only organisation.

        Raises CommandError if there is no such organisation, or if there are several and `named` is None.
        """
        slugs = await self.organisations.list()
        if named is None and len(slugs) == 1:
            return slugs[0]
        if named in slugs:
            return str(named)
        there_are = f"there are {', '.join(slugs)}" if slugs else "there is none yet"
        if named is None:
            raise CommandError(f"Say which organisation with --organisation; {there_are}.")
        raise CommandError(f"There is no organisation {named}; {there_are}.")

    async def change(
        self, named: str | None, change: "Callable[[str, str], Awaitable[Account]]", email: str, what: str
    ) -> None:
        """Call `change` with the organisation's id and `email`; add an audit entry `what` about the changed account.

        `named`: the organisation's id, None for the only organisation. Raises CommandError if no organisation can be
        chosen or the entry cannot be written, AccountError if the account does not exist or the change is refused.
        """
        slug = await self.slug(named)
        await self.audit_log()
        await self.note(slug, what, (await change(slug, email)).id)


def _operator() -> str:
    """Return the name of the operating system's user who runs the command."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def carry_out(config: Path | None, data: str | None, work: Callable[[Office], Awaitable[list[str]]]) -> None:
    """Run `work` on the store and print the lines that it returns; on an error, print a sentence and exit 1.

    `config` and `data`: the options of the command.
    """
    carry_out_on(located(settings_from(config, data__folder=data_folder(data))), work)


def carry_out_on(settings: Settings, work: Callable[[Office], Awaitable[list[str]]]) -> None:
    """Run `work` on the store in `redis.url` of these settings, and print the lines that it returns.

    On an error, print a sentence and exit 1.
    """
    with sentences(settings):
        lines = asyncio.run(_run(settings, work))
    typer.echo("\n".join(lines))


@contextmanager
def sentences(settings: Settings) -> Iterator[None]:
    """Catch an error of the command that is raised in this context: print it as a sentence, and exit 1.

    Raises ConfigError if the store does not answer.
    """
    from redis.exceptions import RedisError

    from signalling.errors import UnavailableError
    from web.errors import AccountError, OrganisationError

    embedded = settings.redis.url in ("", embedded_url(Path(settings.data.folder)))
    try:
        yield
    except (CommandError, AccountError, OrganisationError) as problem:
        print(f"greenroom: {problem}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(1) from None
    except (UnavailableError, RedisError, OSError):
        where = f"on {settings.data.folder}" if embedded else "at redis.url"
        raise ConfigError(f"the store {where} does not answer: is Greenroom running?") from None


async def noted_everywhere(settings: Settings, what: str) -> None:
    """Add an audit entry with the name `what` to each organisation, with the operator as its author.

    Raises CommandError if the server's data key is missing, and ConfigError if the key does not belong to the store.
    """

    async def work(office: Office) -> list[str]:
        await office.audit_log()
        for slug in await office.organisations.list():
            await office.note(slug, what)
        return []

    await _run(settings, work)


async def _run(settings: Settings, work: Callable[[Office], Awaitable[list[str]]]) -> list[str]:
    office = Office(settings)
    try:
        return await work(office)
    finally:
        office.hasher.close()
        await office.redis.aclose()


@organisation_app.command("add")
def add_organisation(
    name: Annotated[str, typer.Argument(help="What the clinic is called.")],
    slug: Annotated[str, typer.Option(help="Its part of the address: letters a-z, digits and hyphens.")],
    timezone: Annotated[str, typer.Option(help="Where its hours hold, such as America/Chicago.")] = "UTC",
    country: Annotated[
        str | None,
        typer.Option(help="Its country, as two letters of ISO 3166; otherwise that of the time zone."),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Add an organisation, with office hours and a short setup guide to begin with."""

    async def work(office: Office) -> list[str]:
        from web.organisations import starter
        from web.organisations.countries import country_of

        await office.audit_log()
        document = starter.organisation(slug, name, timezone, (country or country_of(timezone)).upper())
        if not await office.organisations.add(document):
            raise CommandError(f"There is an organisation {slug} already.")
        await office.note(slug, "organisation.added", slug)
        return [
            f"{name} is at {office.settings.origin}/{slug}",
            f"Add its administrator: greenroom user add EMAIL --name NAME --role admin --organisation {slug}",
            f"who then sets it up at {office.settings.origin}/{slug}/staff/setup",
        ]

    carry_out(config, data, work)


@organisation_app.command("list")
def list_organisations(config: ConfigOption = None, data: DataOption = None) -> None:
    """List the organisations: slug, name, people."""

    async def work(office: Office) -> list[str]:
        lines = []
        for slug in await office.organisations.list():
            found, people = await office.organisations.read(slug), await office.accounts.list(slug)
            open_ones = sum(not account.disabled for account in people)
            lines.append(f"{slug:<24} {found.name if found else '':<40} {open_ones} people")
        return lines or ["There is no organisation yet."]

    carry_out(config, data, work)


@user_app.command("add")
def add_user(
    email: str,
    name: Annotated[str, typer.Option(help="The name that patients and colleagues see.")],
    role: Annotated[Role, typer.Option(help="provider, admin or auditor.")] = Role.PROVIDER,
    state: Annotated[
        list[str] | None, typer.Option(help="Where the person is licensed, such as TX; may be repeated.")
    ] = None,
    organisation: OrganisationOption = None,
    stdin: StdinOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Add a person, and print the password to sign in with."""
    password = _password(stdin)

    async def work(office: Office) -> list[str]:
        slug = await office.slug(organisation)
        document = await office.organisations.read(slug)
        states = tuple(code.upper() for code in state or ())
        if document and (unknown := [code for code in states if code not in document.regions]):
            raise CommandError(f"{unknown[0]} is not the code of a region of {document.country}, such as TX.")
        await office.audit_log()
        added = await office.accounts.add(
            slug, email=email, name=name, role=role, password=password, states=states
        )
        await office.note(slug, "account.added", added.id)
        return [f"{email} is {role} of {slug}.", *_told(office, slug, password, stdin)]

    carry_out(config, data, work)


@user_app.command("list")
def list_users(
    organisation: OrganisationOption = None, config: ConfigOption = None, data: DataOption = None
) -> None:
    """List the people of an organisation."""

    async def work(office: Office) -> list[str]:
        people = await office.accounts.list(await office.slug(organisation))
        return [
            f"{a.email:<40} {a.name:<30} {a.role:<10}"
            + (" disabled" if a.disabled else "" if a.hash else " no password yet")
            for a in people
        ] or ["There is nobody yet."]

    carry_out(config, data, work)


@user_app.command("disable")
def disable_user(
    email: str,
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Disable a person's account, and sign the person out everywhere at once."""

    async def work(office: Office) -> list[str]:
        await office.change(organisation, office.accounts.disable, email, "account.disabled")
        return [f"{email} cannot sign in any more."]

    carry_out(config, data, work)


@user_app.command("enable")
def enable_user(
    email: str,
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Enable a person's account again."""

    async def work(office: Office) -> list[str]:
        await office.change(organisation, office.accounts.enable, email, "account.enabled")
        return [f"{email} can sign in again."]

    carry_out(config, data, work)


@user_app.command("password")
def set_password(
    email: str,
    organisation: OrganisationOption = None,
    stdin: StdinOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Give a person a new password, and print it."""
    password = _password(stdin)

    async def work(office: Office) -> list[str]:
        slug = await office.slug(organisation)
        await office.audit_log()
        changed = await office.accounts.set_password(slug, email, password)
        await office.note(slug, "account.password_set", changed.id)
        return [f"{email} has a new password.", *_told(office, slug, password, stdin)]

    carry_out(config, data, work)


@user_app.command("reset-two-factor")
def reset_two_factor(
    email: str,
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Turn off a person’s two-factor sign-in, for example after a lost phone: all their sessions end."""

    async def work(office: Office) -> list[str]:
        from web.identity.second_factor import turn_off

        off = partial(turn_off, office.redis, office.accounts)
        await office.change(organisation, off, email, "account.second_factor_off")
        return [f"{email} signs in with the password only, and can set up two-factor sign-in anew."]

    carry_out(config, data, work)


def _password(stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\n") if stdin else secrets.token_urlsafe(PASSWORD_BYTES)


def _told(office: Office, slug: str, password: str, stdin: bool) -> list[str]:
    shown: list[Any] = [] if stdin else [f"Password: {password}"]
    return [*shown, f"Sign in at {office.settings.origin}/{slug}/staff"]
