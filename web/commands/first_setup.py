"""`greenroom init`: creates the first organisation of a server, and its administrator.

The command works while a server runs, or before its first start. It asks for values that no option gives. It checks all
values before it creates anything, and can be repeated after an interruption. The administrator chooses a password
through a one-time link, so that no password is shown.
"""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from msgspec.structs import replace

from signalling.store import keys
from signalling.visit.record import Role
from web.commands.options import ConfigOption, DataOption, data_folder, settings_from
from web.commands.organisations import Office, carry_out_on, located
from web.config import Settings
from web.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from web.organisations.settings import Organisation

OTHERWISE = (
    "If people reach the server at another address than {origin}, by options of `greenroom serve` or through a proxy, "
    "put that address before the rest of the link, and set `public_url` under [server] in config.toml."
)


def init(
    name: Annotated[str | None, typer.Argument(help="What the clinic is called.")] = None,
    slug: Annotated[
        str | None, typer.Option(help="Its part of the address: letters a-z, digits and hyphens.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Where its hours hold, such as America/Chicago.")
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(help="Its country, as two letters of ISO 3166; otherwise that of the time zone."),
    ] = None,
    email: Annotated[str | None, typer.Option(help="The administrator’s email address.")] = None,
    person: Annotated[str | None, typer.Option(help="The administrator’s name.")] = None,
    stdin: Annotated[
        bool,
        typer.Option("--stdin", help="Read the password from standard input; otherwise a link is printed."),
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Set up the first organisation and its administrator; asks for values that no option gives."""
    from web.organisations import starter
    from web.organisations.countries import country_of

    asks = sys.stdin.isatty() and not stdin
    name = name or _asked(asks, "NAME", "What is the clinic called")
    slug = slug or _asked(asks, "--slug", "Its part of the address", proposed(name))
    timezone = timezone or _asked(asks, "--timezone", "Its time zone", "UTC")
    likely = country_of(timezone, os.environ.get("LC_ALL") or os.environ.get("LANG", ""))
    country = country or _asked(asks, "--country", "Its country, as two letters", likely)
    email = email or _asked(asks, "--email", "The administrator's email address")
    person = person or _asked(asks, "--person", "The administrator's name")
    password = sys.stdin.readline().rstrip("\n") if stdin else None
    settings = settings_from(config, data__folder=data_folder(data))

    async def work(office: Office) -> list[str]:
        document = starter.organisation(slug, name, timezone, country.upper())
        return await first(office, document, email, person, password)

    with _store(settings) as found:
        carry_out_on(found, work)


async def first(
    office: Office, organisation: "Organisation", email: str, person: str, password: str | None
) -> list[str]:
    """Create the organisation and its administrator; return lines of text for the operator.

    `office`: the organisations and accounts in the store; `email` and `person`: the address and the name of the
    administrator; `password`: None to make a link by which the administrator chooses a password. Raises CommandError if
    the organisation cannot be added, AccountError if the account or the password is not allowed, and OrganisationError
    if a value of the organisation is not valid.
    """
    from web.identity.accounts import check_new, check_password
    from web.identity.invitations import HOURS, Invitations
    from web.organisations import demo
    from web.organisations.settings import validated
    from web.server.data_key import make_data_key

    document = validated(organisation)
    slug, name = document.id, document.name
    check_new(email, person, Role.ADMIN)
    if password is not None:
        check_password(password, email, person, slug, name)
    for there in await office.organisations.list():
        # If there is an organisation with this slug and without people, an `init` that was interrupted has left it.
        # This call continues with it.
        if there != demo.ID and (there != slug or await office.accounts.list(there)):
            raise CommandError(
                f"There is an organisation already, {there}; another one is made by `greenroom organisation add` and "
                "`greenroom user add`."
            )
    if not await office.redis.exists(keys.DATA_KEY()):
        # No server has used this store yet, so it has no data key; this call makes the key.
        make_data_key(Path(office.settings.data.folder))
    await office.audit_log()
    if await office.organisations.add(document):
        await office.note(slug, "organisation.added", slug)
    elif slug == demo.ID:
        raise CommandError(f"{slug} is the demo's part of the address; choose another --slug.")
    account = await office.accounts.add(slug, email=email, name=person, role=Role.ADMIN, password=password)
    await office.note(slug, "account.added", account.id)
    at = f"{office.settings.origin}/{slug}"
    lines = [f"{name} is at {at}", f"{email} is its administrator."]
    if password is None:
        token = await Invitations(office.redis, office.accounts).make(slug, account)
        lines += [f"Choose a password here, once, within {HOURS} hours:", f"  {at}/staff/invitation/{token}"]
    lines.append(f"then set it up at {at}/staff/setup")
    if not office.settings.server.public_url:
        lines += ["", OTHERWISE.format(origin=office.settings.origin)]
    return lines


def proposed(name: str) -> str:
    """Return a slug for a clinic of this name, such as `lakeside-clinic`; "" if the name has no letter a-z and no
    digit.
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")


def _asked(asks: bool, option: str, question: str, default: str | None = None) -> str:
    if asks:
        return str(typer.prompt(question, default=default or None))
    if default:
        return default
    raise ConfigError(f"init: expected {option}; without a terminal nothing can be asked")


@contextmanager
def _store(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with the store's address.

    If no server runs the embedded store, run it while the context lasts.
    """
    if settings.redis.url or _runs(settings):
        yield located(settings)
        return
    from web.server.valkey import EmbeddedStore, LockedFolder

    folder = LockedFolder(Path(settings.data.folder))
    store = EmbeddedStore(folder)
    store.start()
    try:
        yield replace(settings, redis=replace(settings.redis, url=store.url))
    finally:
        store.stop()
        folder.close()
    typer.echo("Now start the server: greenroom serve")


def _runs(settings: Settings) -> bool:
    """Return whether a server runs on the data folder.

    The address of a server that was killed is still in the folder, but nothing answers there.
    """
    try:
        url = located(settings).redis.url
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(urlsplit(url).path)
    except (ConfigError, OSError):
        return False
    return True
