"""Defines `greenroom user role`, which gives a person another role."""

from typing import Annotated

import typer

from signalling.visit.record import Role
from web.commands.options import ConfigOption, DataOption
from web.commands.organisations import Office, OrganisationOption, carry_out
from web.errors import CommandError


def set_role(
    email: str,
    role: Annotated[Role, typer.Argument(help="provider, admin or auditor.")],
    organisation: OrganisationOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Give a person another role, and sign the person out everywhere."""

    async def work(office: Office) -> list[str]:
        from web.identity.visitors import enrolled

        slug, store = await office.slug(organisation), await office.store()
        before = await office.accounts.find(slug, email)
        if before is None:
            raise CommandError(f"There is no account for {email}.")
        changed = await office.accounts.edit(
            slug, email, name=before.name, role=role, states=before.states, areas=before.areas
        )
        await enrolled(store, slug, changed)
        await office.note(slug, "account.changed", changed.id)
        return [f"{email} is {role} of {slug}."]

    carry_out(config, data, work)
