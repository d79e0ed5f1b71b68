"""Defines the commands `greenroom key`, which add, list and revoke API keys.

`web/programs/keys.py` defines what a key is.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from web.commands.options import ConfigOption, DataOption
from web.commands.organisations import Office, OrganisationOption, carry_out
from web.errors import CommandError
from web.programs.scopes import Scope

key_app = typer.Typer(help="Add, list and revoke keys of an organisation’s API.", no_args_is_help=True)


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="The program’s name, which staff see as the doer.")],
    scope: Annotated[
        list[Scope], typer.Option(help="What it is good for: read, open or staff; may be repeated.")
    ],
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make a key and print it; it cannot be shown again."""

    async def work(office: Office) -> list[str]:
        from web.errors import ApiKeyError
        from web.programs.keys import ApiKeys

        slug = await office.slug(organisation)
        await office.audit_log()
        try:
            key, token = await ApiKeys(office.redis).add(slug, name, scope, "operator")
        except ApiKeyError as problem:
            raise CommandError(str(problem)) from None
        await office.note(slug, "key.added", key.id)
        return [token, f"How to use it: {office.settings.origin}/{slug}/api"]

    carry_out(config, data, work)


@key_app.command("list")
def list_keys(
    organisation: OrganisationOption = None, config: ConfigOption = None, data: DataOption = None
) -> None:
    """List the keys: id, name, scopes, when last used (UTC)."""

    async def work(office: Office) -> list[str]:
        from web.programs.keys import ApiKeys

        keys = await ApiKeys(office.redis).list(await office.slug(organisation))
        return [
            f"{key.id}  {key.label:<40} {' '.join(key.scopes):<16} {_used(used_ms)}" for key, used_ms in keys
        ] or ["There is no key yet."]

    carry_out(config, data, work)


@key_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key’s id, as `greenroom key list` says it.")],
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Revoke a key, so that it is no longer valid."""

    async def work(office: Office) -> list[str]:
        from web.programs.keys import ApiKeys

        slug = await office.slug(organisation)
        await office.audit_log()
        if not await ApiKeys(office.redis).revoke(slug, key):
            raise CommandError(f"There is no key {key} at {slug}; `greenroom key list` says which there are.")
        await office.note(slug, "key.revoked", key)
        return [f"{key} opens nothing any more."]

    carry_out(config, data, work)


def _used(used_ms: int | None) -> str:
    if used_ms is None:
        return "never used"
    return f"used {datetime.fromtimestamp(used_ms / 1000, UTC):%Y-%m-%d %H:%M}"
