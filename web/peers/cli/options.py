"""Parses the options of `greenroom peers`, and files and environment variables that replace options.

An error says what was expected.
"""

from __future__ import annotations

import math
import os
import sys
import time
from datetime import datetime, timedelta
from datetime import time as clock
from pathlib import Path

from web.peers.errors import PlanError
from web.peers.network.network import Network, lossy
from web.peers.network.reading import read
from web.peers.run.arrivals import Arrivals, seconds
from web.peers.run.plan import Credential, credentials
from web.peers.run.server import sample

CREDENTIALS = "GREENROOM_PEERS_CREDENTIALS"
KEY = "GREENROOM_PEERS_KEY"
KEY_LENGTH = 16
EARLY_S = 24 * 3600
PATIENTS = 10
"""The number of patients of a run for which neither a number nor a duration nor stages are given."""


def staff(path: Path | None) -> tuple[Credential, ...]:
    """Return the credentials of the staff.

    They are read from the file `path`, from standard input if `path` is "-", or from the environment variable that
    CREDENTIALS names if `path` is None; () if the variable is not set. There is no option for a password, because all
    users of the machine could read it. Raises PlanError if a line is not valid.
    """
    if path is None:
        return credentials(os.environ[CREDENTIALS]) if CREDENTIALS in os.environ else ()
    return credentials(_text(path))


def _text(path: Path) -> str:
    """Return the text of a file, or of standard input if `path` is "-". Raises PlanError if it is not UTF-8."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except UnicodeDecodeError:
        raise PlanError(f"{path}: expected text in UTF-8") from None


def watched(pid: int | None) -> tuple[int, ...]:
    """Return (pid,), the process whose CPU and memory are reported; () for None.

    Raises PlanError if the CPU and memory of this process cannot be read.
    """
    if pid is None:
        return ()
    if sample(pid) is None:
        raise PlanError(f"expected for --server-pid a process that this machine tells about; found {pid}")
    return (pid,)


def recorded(arrivals: str) -> str:
    """Return the text of the file that `arrivals` names as `day:FILE`; "" for any other pattern of arrivals.

    Raises OSError if the file cannot be read, and PlanError if it is not UTF-8.
    """
    kind, _, rest = arrivals.partition(":")
    return _text(Path(rest.partition("@")[0])) if kind == "day" and rest else ""


def share(text: str) -> float:
    """Return a share of people or packets as a number: 0.05 for `5%`. Raises PlanError if the text is no share."""
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise PlanError(f"expected a share like 5%; found {text!r}")
    return found


def network(
    path: Path | None, loss: float, seed: int, media: str, described: Network | None = None
) -> Network | None:
    """Return the network that a file describes; without a file, a network that loses the share `loss` of its packets.

    Returns None if nothing is lost. `seed`: the seed of the random losses; `media`: the kind of media of the
    run; `described`: the network of a scenario, which a file or `loss` overrides. Raises PlanError if the
    options cannot be used together or the file is not valid, and OSError if it cannot be read.
    """
    if path is None and (loss or described is None):
        return lossy(loss, seed) if loss else None
    if path is not None and loss:
        raise PlanError("expected --loss or --network, not both: the file says what is lost")
    if media == "none":
        raise PlanError(
            "expected --media light or real with --network: it is the media that crosses the network"
        )
    return described if path is None else read(path)


def patients(number: int | None, arrivals: Arrivals, duration: str, seed: int) -> int:
    """Return how many patients come: those who arrive until the end of the stages or of `duration`, at most `number`.

    Without stages, duration and number, PATIENTS come. Raises PlanError if nobody comes, or too many.
    """
    if not duration and arrivals.kind != "stages":
        return PATIENTS if number is None else number
    found = arrivals.patients(seed, seconds(duration) if duration else math.inf)
    if not found:
        raise PlanError("expected at least one patient until the end of --duration or of the stages")
    return found if number is None else min(number, found)


def part(text: str) -> tuple[int, int]:
    """Return (2, 5) for `2/5`, the second of five parts of a plan. Raises PlanError if the text is no part."""
    one, _, of = text.partition("/")
    if not (one.isdecimal() and of.isdecimal() and 1 <= int(one) <= int(of)):
        raise PlanError(f"expected a part like 2/5; found {text!r}")
    return int(one), int(of)


def moment(text: str) -> float | None:
    """Return the time that `text` means, as a value of time.monotonic in s; None for "".

    `text`: a time of day (of tomorrow, if it has passed today), or a date and a time, in this machine's zone. Raises
    PlanError if the text is no time, or if the time is not within the next 24 hours.
    """
    if not text:
        return None
    now = datetime.now().astimezone()
    try:
        if "T" in text or "-" in text:
            at = datetime.fromisoformat(text).astimezone()
        else:
            at = datetime.combine(now.date(), clock.fromisoformat(text), now.tzinfo)
            at += timedelta(days=at < now)
    except ValueError:
        raise PlanError(f"expected a moment like 14:30 or 2026-05-01T14:30:00; found {text!r}") from None
    in_s = at.timestamp() - now.timestamp()
    if not 0 <= in_s <= EARLY_S:
        raise PlanError(f"expected a moment within a day from now; found {text!r}")
    return time.monotonic() + in_s


def one_of(text: str, known: tuple[str, ...], option: str) -> str:
    """Return `text` if it is one of the words `known`.

    Raises PlanError otherwise; `option` names the option in the error's text.
    """
    if text not in known:
        raise PlanError(f"expected {', '.join(known[:-1])} or {known[-1]} for {option}; found {text!r}")
    return text


def check_adapter(name: str, media: str, refused: dict[str, object], left_out: dict[str, object]) -> str:
    """Check that a run with this adapter is possible; return the given options that it ignores, "" for none.

    `refused`: option -> whether it was given, for the options that cannot be combined with an adapter; `left_out`:
    option -> whether it was given, for the options that an adapter ignores. Raises PlanError if the run is not
    possible.
    """
    from web.peers.adapters.adapter import load

    kinds = load(name).media_kinds
    for option, given in refused.items():
        if given:
            raise PlanError(f"expected no --{option} with --adapter")
    one_of(media, ("none", "light", "real"), "--media")
    if media not in kinds:
        raise PlanError(f"expected --media {' or '.join(kinds)} with --adapter {name}; found {media}")
    return ", ".join(option.replace("_", " ") for option, given in left_out.items() if given)


def fingerprint(text: str) -> bytes:
    """Return the bytes of a certificate's SHA-256 from 64 hexadecimal digits. Raises PlanError for any other text."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise PlanError("expected the fingerprint that the other machine shows, with --certificate")
    return found


def key(typed: str = "") -> str:
    """Return the secret key of a run, as typed or from the environment; "" for none.

    Raises PlanError if it is too short.
    """
    found = typed or os.environ.get(KEY, "")
    if found and len(found) < KEY_LENGTH:
        raise PlanError(f"expected a key of at least {KEY_LENGTH} letters in {'--key' if typed else KEY}")
    return found
