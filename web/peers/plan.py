"""What a run is to be: how many people, when they come, how long they take, and which share of them is whose.

Pure. The same plan and seed make the same people on every machine. Knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from web.peers.arrivals import Arrivals, PlanError, Span, Visitor, visitors

AT_ONCE = Span()
ONE_A_SECOND = Arrivals("steady", rate=1.0)


@dataclass(frozen=True, slots=True)
class Credential:
    """How one member of staff signs in. Never shown, logged or written."""

    email: str
    password: str

    def __repr__(self) -> str:
        return "Credential(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run. `race` providers press Claim on each patient; faults are shares (0.0 to 1.0) of the patients.

    `patience_s` is how long a patient waits before leaving the line, `timeout_s` how long any answer may take.
    """

    url: str
    organisation: str = ""
    ca: Path | None = None
    insecure: bool = False
    patients: int = 10
    providers: int = 2
    credentials: tuple[Credential, ...] = ()
    arrivals: Arrivals = ONE_A_SECOND
    fill_in: Span = AT_ONCE
    claim_after: Span = AT_ONCE
    talk: Span = AT_ONCE
    between: Span = AT_ONCE
    patience_s: float = 600.0
    timeout_s: float = 30.0
    media: str = "none"
    media_file: Path | None = None
    race: int = 1
    reload: float = 0.0
    vanish: float = 0.0
    loss: float = 0.0
    seed: int = 1

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
