"""Every key and channel of the product in Redis: its name, type and content, and what erases it. Does no I/O.

All code that uses the store takes names from here. `ALL` is the table of keys, which docs/OPERATIONS.md shows. After
each test of `signalling` and `web`, the keys in the store are compared with this table.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

CONTENTS = 2
"""The latest version of the store's contents that this release reads and writes (`web/server/store_version.py`)."""
_PART = re.compile("<[a-z]+>")


class Erasure(StrEnum):
    """What erases a key of the store, or the entries in the key."""

    EXPIRY = "expires"
    """The store itself erases the key, which has a time to live. A backup need not contain it."""
    RETENTION = "retention"
    """`web/retention.py` erases the key, or its entries, when they are older than a number of days."""
    USE = "use"
    """The key has no time to live. The code that writes it removes it when nothing needs it any more."""
    NONE = "kept"


@dataclass(frozen=True, eq=False)
class Key:
    """A kind of key. `pattern`: its name, with parts such as <visit>. `type`: its type as the Redis command TYPE
    returns it.

    `holds`: its content. `until`: when the key, or an entry in it, is erased. `patient`: True if it has data about
    patients.
    """

    pattern: str
    type: str
    holds: str
    erasure: Erasure
    until: str = ""
    patient: bool = False

    @cached_property
    def _format(self) -> str:
        return _PART.sub("%s", self.pattern)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile(".+".join(map(re.escape, _PART.split(self.pattern))))

    def __call__(self, *parts: str) -> str:
        """Return the name of one key of this kind, with these parts in its pattern.

        Raises `TypeError` if their number is wrong.
        """
        return self._format % parts

    def matches(self, name: str) -> bool:
        """Return True if a key of this kind can have this name."""
        return self._names.fullmatch(name) is not None


def hashed(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal, for the name of a key, so that the name does not reveal the
    secret.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


_EXPIRY, _RETENTION, _USE, _NONE = Erasure
_DAYS = "the organisation's days"

# The braces in a name are a hash tag, which keeps all keys of an organisation in one slot of a cluster.

# --- the keys of visits
OPEN = Key("{<organisation>}:open", "zset", "ids of open visits, by arrival", _USE, "it ends")
ENDED = Key("{<organisation>}:ended", "zset", "ids of ended visits, by end", _RETENTION, _DAYS)
UNPACKED = Key("{<organisation>}:unpacked", "zset", "ids of ended visits to pack", _USE, "an hour later")
SWEPT = Key("{<organisation>}:swept", "string", "packed visits were checked", _EXPIRY, "a day")
DEADLINES = Key("{<organisation>}:deadlines", "zset", "ids of visits, by deadline", _USE, "it passed")
VISIT = Key("{<organisation>}:visit:<visit>", "hash", "the record of a visit", _RETENTION, _DAYS, True)
HISTORY = Key("{<organisation>}:history:<visit>", "list", "the events of a visit", _RETENTION, _DAYS, True)
CHAT = Key("{<organisation>}:chat:<visit>", "zset", "ids of a visit's chat lines", _RETENTION, _DAYS)
LINE = Key("{<organisation>}:line:<line>", "hash", "a chat line", _RETENTION, _DAYS, True)
PHOTOS = Key("{<organisation>}:photos:<visit>", "hash", "a visit's photos by id", _RETENTION, _DAYS, True)
CALLS = Key("{<organisation>}:calls:<visit>", "hash", "quality of a visit's calls", _RETENTION, _DAYS, True)
PAST = Key(
    "{<organisation>}:past:<visit>", "string", "all of an ended visit but its photos", _RETENTION, _DAYS, True
)
LEASE = Key(
    "{<organisation>}:lease:<visit>", "hash", "the worker that carries its media; mutes", _EXPIRY, "a day"
)
EVENTS = Key(
    "{<organisation>}:events", "stream", "the last events, with the records", _RETENTION, _DAYS, True
)
HEAD = Key("{<organisation>}:head", "hash", "number, epoch and mark of the last event", _NONE)
GUIDE = Key("{<organisation>}:guide:<version>", "string", "a version of the setup guide", _NONE)
INVITE = Key(
    "{<organisation>}:invite:<hash>", "string", "a guest's link to a visit", _EXPIRY, "the link expires"
)
PATIENT_LINK = Key(
    "{<organisation>}:patient-link:<hash>", "string", "a patient's link to a visit", _EXPIRY, "a day"
)
RESUME = Key(
    "{<organisation>}:resume:<hash>", "hash", "the state of a connection, by its token", _EXPIRY, "a day"
)
IDEMPOTENCY = Key(
    "{<organisation>}:idempotency:<hash>", "string", "the visit of an API request", _EXPIRY, "a day"
)
# --- the keys of staff
STAFF = Key("{<organisation>}:staff", "zset", "ids of staff", _NONE)
STAFF_MEMBER = Key("{<organisation>}:staff:<person>", "hash", "On-Call and states of a person", _NONE)
HERE = Key("{<organisation>}:here", "zset", "when staff last had a page open", _NONE)
BELL = Key("{<organisation>}:bell:<person>", "zset", "notifications of a person", _RETENTION, "90 days", True)
MARKS = Key("{<organisation>}:marks", "zset", "ids of staff with a mark", _NONE)
MARK = Key("{<organisation>}:mark:<person>", "hash", "the last notification that was read", _NONE)
WATCHES = Key("{<organisation>}:watches", "zset", "ids of the states of the queue", _NONE)
WATCH = Key("{<organisation>}:watch:<watch>", "hash", "the rules that the queue's pages have", _NONE)
# --- the keys of appointments
APPOINTMENTS = Key(
    "{<organisation>}:appointments", "zset", "ids of booked visits, by start", _RETENTION, _DAYS
)
APPOINTMENT = Key(
    "{<organisation>}:appointment:<appointment>", "hash", "a booked visit", _RETENTION, _DAYS, True
)
SLOTS = Key("{<organisation>}:slots", "zset", "ids at taken times, by start", _USE, "it is over")
SLOT_SPANS = Key("{<organisation>}:slots:spans", "hash", "ends of taken times, by id", _USE, "it is over")
HOLDS = Key("{<organisation>}:holds:<hash>", "zset", "times that a visitor holds", _EXPIRY, "ten minutes")
FEEDS = Key("{<organisation>}:feeds", "hash", "links of staff to booked visits, hashed", _USE, "revoked")
# --- the keys of jobs and of the audit log
JOBS = Key("{<organisation>}:jobs", "zset", "mails to send", _USE, "done or given up", True)
QUEUE = Key(
    "{<organisation>}:queue:<kind>", "zset", "webhooks and other jobs to do", _USE, "done or given up"
)
JOB_TRIES = Key("{<organisation>}:jobs:tries", "hash", "attempts at each job", _USE, "done or given up")
DEAD_JOBS = Key("{<organisation>}:jobs:dead", "zset", "jobs that were given up", _RETENTION, "30 days", True)
JOB_CLOCK = Key("{<organisation>}:jobs:clock", "string", "time of an earlier look", _USE, "no job waits")
QUEUE_CLOCK = Key(
    "{<organisation>}:queue-clock:<kind>", "string", "time of an earlier look", _USE, "no job waits"
)
EMERGENCIES = Key(
    "{<organisation>}:emergencies", "zset", "who opened which visit in an emergency, and why", _RETENTION, _DAYS,
    True,
)  # fmt: skip
TEXT_SERVICE = Key(
    "{<organisation>}:text-service", "string", "the service for text messages, sealed", _USE, "removed"
)
VISIT_DEVICES = Key(
    "{<organisation>}:visit-devices:<visit>", "hash", "a patient's browsers that are notified, sealed", _EXPIRY,
    "two days",
)  # fmt: skip
STAFF_DEVICES = Key(
    "{<organisation>}:staff-devices:<person>", "hash", "a person's browsers that are notified, sealed", _USE,
    "removed, or the account is disabled",
)  # fmt: skip
BREAKER = Key(
    "{<organisation>}:breaker:<receiver>", "hash", "failures in a row, and the pause", _EXPIRY, "a day"
)
PAUSED = Key("{<organisation>}:paused", "set", "receivers to which nothing is sent", _EXPIRY, "a day")
AUDIT = Key("{<organisation>}:audit", "list", "the audit log", _RETENTION, "`[retention] audit_days`")
AUDIT_HEAD = Key("{<organisation>}:audit:head", "string", "its beginning and end, sealed", _NONE)
AUDIT_QUEUE = Key("{<organisation>}:audit:queue", "list", "entries on the way to it", _USE, "a second")
# --- the keys of organisations
ORGANISATIONS = Key("organisations", "set", "ids of organisations", _NONE)
ORGANISATION = Key("{<organisation>}:organisation", "string", "its document: settings, texts", _NONE)
EDITS = Key("{<organisation>}:edits", "hash", "earlier revisions of it", _USE, "200 later revisions")
GUIDE_VERSIONS = Key("{<organisation>}:guides", "hash", "who made each version of the guide", _NONE)
LOGOS = Key("{<organisation>}:logos", "hash", "pictures", _USE, "another one is chosen")
FACILITIES = Key("{<organisation>}:facilities", "hash", "facilities by id", _USE, "revoked")
FACILITY_NAMES = Key("{<organisation>}:facility-names", "hash", "ids of facilities by name", _USE, "revoked")
DEMO_FRESH = Key(
    "{<organisation>}:demo:fresh", "string", "demo passwords not printed yet", _EXPIRY, "ten minutes"
)
# --- the keys of accounts and of sign-in
ACCOUNTS = Key("{<organisation>}:accounts", "hash", "accounts by id", _NONE)
EMAILS = Key("{<organisation>}:emails", "hash", "ids of accounts by email address", _NONE)
SECOND_FACTOR = Key(
    "{<organisation>}:second_factor:<person>", "hash", "the secret, sealed", _USE, "turned off"
)
RECOVERY_CODES = Key(
    "{<organisation>}:second_factor:<person>:codes", "set", "recovery codes, hashed", _USE, "turned off"
)
INVITATION = Key(
    "{<organisation>}:invitation:<hash>", "string", "a link to set a password", _EXPIRY, "72 hours"
)
THROTTLE = Key(
    "{<organisation>}:throttle:<rule>:<who>", "zset", "wrong guesses and openings", _EXPIRY, "a day at most"
)
THROTTLE_PENDING = Key(
    "{<organisation>}:throttle:<rule>:<who>:pending", "zset", "guesses being checked", _EXPIRY, "a minute"
)
SESSION = Key("session:<hash>", "hash", "a browser's session", _EXPIRY, "a week without use")
# --- the keys of other programs: API keys and webhooks
API_KEYS = Key("{<organisation>}:api-keys", "hash", "API keys by id, hashed", _USE, "revoked")
API_USED = Key("{<organisation>}:api-used", "hash", "when each API key was last used", _USE, "revoked")
API_RATE = Key("{<organisation>}:api-rate:<who>", "string", "requests in this window", _EXPIRY, "a minute")
WEBHOOK_OWNERS = Key("webhooks", "set", "organisations that had a webhook", _NONE)
WEBHOOKS = Key("{<organisation>}:webhooks", "hash", "webhooks by id, sealed", _USE, "deleted")
WEBHOOK_LOG = Key(
    "{<organisation>}:webhook-log:<webhook>", "list", "the last 100 attempts", _EXPIRY, "30 days"
)
# --- names in the store that belong to no organisation
DATA_KEY = Key("greenroom:key", "string", "a hash of the data key", _NONE)
ROTATING = Key("greenroom:rotating", "string", "a command rotates the data key", _EXPIRY, "five seconds")
STORE_VERSION = Key("greenroom:version", "string", "the version of the store's contents", _NONE)
ERASED = Key("greenroom:erased", "string", "the last erasure", _USE, "the store's file is rewritten")
REWRITING = Key("greenroom:rewriting", "string", "a worker rewrites the store's file", _EXPIRY, "5 minutes")
REWRITTEN = Key("greenroom:rewritten", "string", "the file was rewritten", _EXPIRY, "a day")
PACKING = Key("greenroom:packing", "string", "a worker packs ended visits", _EXPIRY, "two minutes")
WORKER = Key("worker:<worker>", "string", "a worker's sign of life", _EXPIRY, "1.2 seconds")
REPORTS = Key(
    "workers:reports", "zset", "what each worker registers: load, address, region", _EXPIRY, "ten seconds"
)
WORKER_ADDRESSES = Key("worker:<worker>:addresses", "string", "its media addresses", _EXPIRY, "a day")

ALL: tuple[Key, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Key))

# Channels store nothing. An organisation's events are published on the channel that has the same name as its stream.
DEATHS_CHANNEL = "workers"
ACCOUNTS_CHANNEL = "accounts"


def worker_channel(worker: str) -> str:
    """Return the name of the channel for messages to a worker."""
    return f"worker:{worker}"
