"""`greenroom audit`: checks whether an organisation's audit log is unchanged, and prints it as JSON lines.

Like the other commands, it reads the store of the running server, with the key in the server's data folder.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from web.audit.lines import Chosen, line
from web.commands.options import ConfigOption, DataOption
from web.commands.organisations import Office, OrganisationOption, carry_out
from web.errors import CommandError

audit_app = typer.Typer(help="Verify and export the audit log of an organisation.", no_args_is_help=True)


@audit_app.command("verify")
def verify(
    organisation: OrganisationOption = None, config: ConfigOption = None, data: DataOption = None
) -> None:
    """Check that no entry of the audit log was changed or removed; exit with 1 and name the first problem."""

    async def work(office: Office) -> list[str]:
        slugs = [await office.slug(organisation)] if organisation else await office.organisations.list()
        lines, broken = [], []
        for slug in slugs:
            audit_log = await office.audit_log()
            await audit_log.bind_all(slug)
            verdict = await audit_log.verify(slug)
            if verdict.problem:
                broken.append(f"{slug}: {verdict.problem} ({verdict.good:,} entries before it are good)")
            elif verdict.good:
                lines.append(f"{slug}: {verdict.good:,} entries, unbroken since {_utc(verdict.since_ms)}")
            else:
                lines.append(f"{slug}: no entries yet")
        if broken:
            raise CommandError("\n".join([*broken, *lines]))
        return lines or ["There is no organisation yet."]

    carry_out(config, data, work)


@audit_app.command("export")
def export(
    organisation: OrganisationOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Entries from this time on (UTC).", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Entries of this account, by id or email.")] = None,
    visit: Annotated[str | None, typer.Option(help="Entries about this visit.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print the audit log, one JSON object per line, the oldest entry first."""

    async def work(office: Office) -> list[str]:
        slug = await office.slug(organisation)
        audit_log = await office.audit_log()
        await audit_log.bind_all(slug)
        account = await office.accounts.find(slug, who) if who and "@" in who else None
        since_ms = 0 if since is None else round(since.replace(tzinfo=UTC).timestamp() * 1000)
        chosen = Chosen(since_ms, (account.id if account is not None else who) or "", visit or "")
        # The entry is written first: the reader of a pipe may go away in the middle of the entries.
        await office.note(slug, "audit.exported")
        try:
            async for entry in audit_log.entries(slug):
                if chosen.fits(entry):
                    sys.stdout.write(line(entry) + "\n")
            sys.stdout.flush()
        except OSError as error:
            raise CommandError(f"the entries are not all written ({error.strerror})") from None
        return []

    carry_out(config, data, work)


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
