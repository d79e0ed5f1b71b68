"""Defines the plan of a run: how many people, when they come, how long they take, and which process plays which share.

The same plan and seed make the same people on every machine. `SharedPlan` is sent between machines; `Plan` adds
values that each machine has for itself and never sends.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Self

import msgspec

from web.peers.errors import PlanError
from web.peers.network.network import Network
from web.peers.run.arrivals import Arrivals, Span, Visitor, visitors

AT_ONCE = Span()
ONE_A_SECOND = Arrivals("steady", rate=1.0)


@dataclass(frozen=True, slots=True)
class Credential:
    """The email and password of one member of staff. They are never printed, logged or stored."""

    email: str
    password: str

    def __repr__(self) -> str:
        return "Credential(…)"


NAMELESS = Credential("", "")
"""The credential of a provider on a server that is not Greenroom, where providers need no account."""
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
PartOf = Annotated[float, msgspec.Meta(ge=0, le=1)]
Media = Annotated[str, msgspec.Meta(pattern="^(none|light|real)$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPlan:
    """The part of the plan that is the same for all machines.

    `reload`: the share (0.0 to 1.0) of patients who reload the page. `vanish`: the share of patients who lose their
    network for a moment. `race`: the number of providers who press Claim on each patient. `patience_s`: the time after
    which a patient leaves the queue. `timeout_s`: the longest time to wait for an answer of the server. `network`: the
    simulated network through which the media of all people passes; None for no simulation.
    """

    url: str
    organisation: str = ""
    patients: Count = 10
    providers: Count = 2
    arrivals: Arrivals = ONE_A_SECOND
    fill_in: Span = AT_ONCE
    claim_after: Span = AT_ONCE
    talk: Span = AT_ONCE
    between: Span = AT_ONCE
    patience_s: Seconds = 600.0
    timeout_s: Seconds = 30.0
    media: Media = "none"
    race: AtLeastOne = 1
    reload: PartOf = 0.0
    vanish: PartOf = 0.0
    network: Network | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(SharedPlan):
    """A plan with the values of one machine: its staff, the certificates that it trusts, the media file that it plays.

    `adapter`: the name of the adapter for a server that is not Greenroom (`web/peers/adapters`); "" for Greenroom.
    """

    ca: Path | None = None
    insecure: bool = False
    credentials: tuple[Credential, ...] = ()
    media_file: Path | None = None
    adapter: str = ""

    @property
    def shared(self) -> SharedPlan:
        """The plan without the values that are for this machine only, such as the credentials."""
        return SharedPlan(**{field.name: getattr(self, field.name) for field in fields(SharedPlan)})

    @classmethod
    def on_this_machine(
        cls,
        shared: SharedPlan,
        *,
        ca: Path | None,
        insecure: bool,
        credentials: tuple[Credential, ...],
        media_file: Path | None,
    ) -> Self:
        """Return the plan `shared`, which another machine has made, with the values of this machine.

        `ca` and `insecure`: which certificates to trust; `credentials`: the staff; `media_file`: the file with picture
        and sound to play, None for a generated picture and sound.
        """
        same = {field.name: getattr(shared, field.name) for field in fields(SharedPlan)}
        return cls(**same, ca=ca, insecure=insecure, credentials=credentials, media_file=media_file)

    def share(self, index: int, of: int) -> Share:
        """Return the share of process `index` (from 0) of `of` processes.

        Raises PlanError if the share would have no provider.
        """
        if self.providers and self.providers < of:
            raise PlanError(f"expected at least {of} providers, one for each process; found {self.providers}")
        credentials = (NAMELESS,) if self.adapter else self.credentials
        if self.providers and not credentials:
            raise PlanError("expected credentials of staff, with --credentials; or --providers 0")
        everybody = visitors(
            self.patients, self.arrivals, self.fill_in, self.talk, self.seed, part=(index + 1, of)
        )
        staff = tuple(credentials[number % len(credentials)] for number in range(index, self.providers, of))
        return Share(self, index, tuple(everybody), staff)

    def in_words(self) -> dict[str, str]:
        """Return the plan in words, without any credential, for a report."""
        pairs = {
            "patients": str(self.patients),
            "providers": str(self.providers),
            "media": self.media,
            "adapter": self.adapter,
            "seed": str(self.seed),
            "race": str(self.race) if self.race > 1 else "",
            "reload": f"{self.reload:.0%}" if self.reload else "",
            "vanish": f"{self.vanish:.0%}" if self.vanish else "",
        }
        return {name: text for name, text in pairs.items() if text}


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a plan that one process plays: its patients and staff."""

    plan: Plan
    index: int
    visitors: tuple[Visitor, ...]
    staff: tuple[Credential, ...]

    @property
    def digest(self) -> str:
        """Return a hash of this share's people.

        Two machines compare their hashes, to check that the seed gives the same people on both.
        """
        # Times are rounded to ms, so that two machines get the same hash although their logarithms differ in the last
        # bit.
        people = [
            (one.number, round(one.arrives_s, 3), round(one.fill_in_s, 3), round(one.talk_s, 3), one.seed)
            for one in self.visitors
        ]
        encoded = msgspec.msgpack.encode((self.plan.shared, self.index, len(self.staff), people))
        return hashlib.sha256(encoded).hexdigest()


def credentials(text: str) -> tuple[Credential, ...]:
    """Parse lines of `email password` or `email,password`; `#` begins a comment.

    Raises PlanError if a line is not valid.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        email, _, password = line.strip().partition("," if "," in line.split()[0] else " ")
        if "@" not in email or not password.strip():
            # The error does not show the line, because the line contains a password.
            raise PlanError(f"expected an email and a password in line {number} of the credentials")
        found.append(Credential(email.strip(), password.strip()))
    if not found:
        raise PlanError("expected at least one line with an email and a password in the credentials")
    return tuple(found)
