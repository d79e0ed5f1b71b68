"""What a run is to be: how many people, when they come, how long they take, and which share of them is whose.

Pure. The same plan and seed make the same people on every machine; `SharedPlan` is what machines tell each other of it,
`Plan` adds what is each machine's own and never travels. Knows no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Self

import msgspec

from web.peers.errors import PlanError
from web.peers.run.arrivals import Arrivals, Span, Visitor, visitors

AT_ONCE = Span()
ONE_A_SECOND = Arrivals("steady", rate=1.0)


@dataclass(frozen=True, slots=True)
class Credential:
    """How one member of staff signs in. Never shown, logged or written."""

    email: str
    password: str

    def __repr__(self) -> str:
        return "Credential(…)"


Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
PartOf = Annotated[float, msgspec.Meta(ge=0, le=1)]
Media = Annotated[str, msgspec.Meta(pattern="^(none|light|real)$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPlan:
    """What a run is, the same for every machine. Faults are shares (0.0 to 1.0) of the patients.

    `race` providers press Claim on each patient. `patience_s` is how long a patient waits before leaving the line,
    `timeout_s` how long any answer may take.
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
    loss: PartOf = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(SharedPlan):
    """A run as one machine drives it: with its own staff, the certificates that it trusts, and its film to show."""

    ca: Path | None = None
    insecure: bool = False
    credentials: tuple[Credential, ...] = ()
    media_file: Path | None = None

    @property
    def shared(self) -> SharedPlan:
        """The plan without what is this machine's own."""
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
        """Another machine's plan with what is this machine's own."""
        told = {field.name: getattr(shared, field.name) for field in fields(SharedPlan)}
        return cls(**told, ca=ca, insecure=insecure, credentials=credentials, media_file=media_file)

    def share(self, index: int, of: int) -> Share:
        """What the process with this index (from 0) of so many does. Raises PlanError where it had no provider."""
        if self.providers and self.providers < of:
            raise PlanError(f"expected at least {of} providers, one for each process; found {self.providers}")
        if self.providers and not self.credentials:
            raise PlanError("expected credentials of staff, with --credentials; or --providers 0")
        everybody = visitors(
            self.patients, self.arrivals, self.fill_in, self.talk, self.seed, part=(index + 1, of)
        )
        staff = tuple(
            self.credentials[number % len(self.credentials)] for number in range(index, self.providers, of)
        )
        return Share(self, index, tuple(everybody), staff)

    def told(self) -> dict[str, str]:
        """The plan in words, without any credential, for a report."""
        pairs = {
            "patients": str(self.patients),
            "providers": str(self.providers),
            "media": self.media,
            "seed": str(self.seed),
            "race": str(self.race) if self.race > 1 else "",
            "reload": f"{self.reload:.0%}" if self.reload else "",
            "vanish": f"{self.vanish:.0%}" if self.vanish else "",
            "loss": f"{self.loss:.0%}" if self.loss else "",
        }
        return {name: text for name, text in pairs.items() if text}


@dataclass(frozen=True, slots=True)
class Share:
    """One process's patients and staff."""

    plan: Plan
    index: int
    visitors: tuple[Visitor, ...]
    staff: tuple[Credential, ...]

    @property
    def digest(self) -> str:
        """The same on two machines only where both understand all of the plan, and draw the same people from it."""
        # To the millisecond: the last bit of a logarithm is not the same on every system.
        people = [
            (one.number, round(one.arrives_s, 3), round(one.fill_in_s, 3), round(one.talk_s, 3), one.seed)
            for one in self.visitors
        ]
        told = msgspec.msgpack.encode((self.plan.shared, self.index, len(self.staff), people))
        return hashlib.sha256(told).hexdigest()


def credentials(text: str) -> tuple[Credential, ...]:
    """Read `email password` (or `email,password`), a member of staff a line; `#` begins a comment. Raises PlanError."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        email, _, password = line.strip().partition("," if "," in line.split()[0] else " ")
        if "@" not in email or not password.strip():
            # The line itself holds a password, so it is not shown.
            raise PlanError(f"expected an email and a password in line {number} of the credentials")
        found.append(Credential(email.strip(), password.strip()))
    if not found:
        raise PlanError("expected at least one line with an email and a password in the credentials")
    return tuple(found)
