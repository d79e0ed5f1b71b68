"""What an operation of the API is: its place, who may, what goes in and comes out. Knows no particular one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from signalling.service import Service
from signalling.visit.record import Actor, Role
from web.keys import SERVICE
from web.organisations.documents import Organisation
from web.programs.keys import ApiKey
from web.programs.scopes import Scope


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been let in."""

    request: web.Request
    organisation: Organisation
    key: ApiKey

    @property
    def service(self) -> Service:
        """This worker's way to the visits."""
        return self.request.app[SERVICE]

    @property
    def actor_id(self) -> str:
        """Under which id the key acts."""
        return f"api:{self.key.id}"

    @property
    def admin(self) -> Actor:
        """The key as it acts on the clinic's side: an administrator with the key's name."""
        return Actor(
            organisation=self.organisation.id,
            id=self.actor_id,
            name=self.key.label,
            role=Role.ADMIN,
        )

    def facility(self, name: str) -> Actor:
        """The key as it places patients, under a facility's name."""
        return Actor(organisation=self.organisation.id, id=self.actor_id, name=name, role=Role.FACILITY)

    def path(self, name: str) -> str:
        """What stands in the address at this place."""
        return self.request.match_info[name]


Handler = Callable[[Call, Any], Awaitable[msgspec.Struct | None]]


class Operation(NamedTuple):
    """A row of the table: `path` is below /{organisation}/api/v1, `scopes` are those of which one is needed."""

    name: str
    method: str
    path: str
    scopes: tuple[Scope, ...]
    summary: str
    handler: Handler
    answers: type[msgspec.Struct] | None
    """The body of the answer; None: 204, without one."""
    takes: type[msgspec.Struct] | None = None
    status: int = 200
    problems: tuple[str, ...] = ()
    """The codes that are this operation's own, beside those that any may answer with."""
    headers: Mapping[str, str] = {}
    """Headers of the request that mean something here, with what they mean."""
    description: str = ""
    act: str = ""
    """The entry that it leaves in the audit trail; "": its command leaves one, or it shows nothing of a patient."""
