"""The parts of a worker that its connections and their handlers may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from signalling.rooms.memberships import Memberships
from signalling.rooms.ports import MediaRelay
from signalling.service import Service
from signalling.store.audit_log import AuditLog
from signalling.store.guest_links import GuestLinks
from signalling.store.resume_tokens import Tokens
from signalling.topics.topics import Topics
from signalling.tracing import ClaimTraces


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one worker that connections use. `worker`: the worker's id.

    `spawn` runs a coroutine that ends by itself, as a task. `superseded` closes the old socket of a connection (given
    by its id) that was resumed on another worker. `traces` is None if tracing is off.
    """

    worker: str
    service: Service
    topics: Topics
    memberships: Memberships
    relay: MediaRelay
    audit_log: AuditLog
    guest_links: GuestLinks
    tokens: Tokens
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    superseded: Callable[[str], Coroutine[Any, Any, None]]
    traces: ClaimTraces | None
