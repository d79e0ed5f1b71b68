"""Defines the type of an API operation: its path, the permissions (scopes) that it needs, its request and answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from signalling.service import Service
from signalling.visit.record import Actor, Role
from web.audit.noting import Declared
from web.keys import SERVICE
from web.organisations.settings import Organisation
from web.programs.keys import ApiKey
from web.programs.scopes import Scope


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API whose key was accepted, with the objects that an operation needs to answer it."""

    request: web.Request
    organisation: Organisation
    key: ApiKey

    @property
    def service(self) -> Service:
        """This worker's service for visits, which loads and changes them."""
        return self.request.app[SERVICE]

    @property
    def actor_id(self) -> str:
        """The id that visits record as the author of the key's actions: "api:" and the key's id."""
        return f"api:{self.key.id}"

    @property
    def admin(self) -> Actor:
        """An actor (the author of a command) with the key's name and the rights of an administrator of the clinic."""
        return Actor(
            organisation=self.organisation.id,
            id=self.actor_id,
            name=self.key.label,
            role=Role.ADMIN,
        )

    def facility(self, name: str) -> Actor:
        """Return an actor with the key's id and this name of a facility, who may add patients to the queue."""
        return Actor(organisation=self.organisation.id, id=self.actor_id, name=name, role=Role.FACILITY)

    def path(self, name: str) -> str:
        """Return the part of the request's path that replaces {name} in the operation's path, such as an id."""
        return self.request.match_info[name]


Handler = Callable[[Call, Any], Awaitable[msgspec.Struct | None]]


class Operation(NamedTuple):
    """An API operation, a row of the table of operations.

    `path` is below /{organisation}/api/v1. A key with at least one of `scopes` may call it.
    """

    name: str
    method: str
    path: str
    scopes: tuple[Scope, ...]
    summary: str
    handler: Handler
    answers: type[msgspec.Struct] | None
    """The type of the answer's body; None if the operation answers HTTP 204 without a body."""
    audit: Declared
    """Declares which entry a call of the operation adds to the audit log."""
    takes: type[msgspec.Struct] | None = None
    status: int = 200
    problems: tuple[str, ...] = ()
    """The error codes that this operation may answer, in addition to those that every operation may answer."""
    headers: Mapping[str, str] = {}
    """The request headers that the operation reads, with their meaning."""
    description: str = ""
