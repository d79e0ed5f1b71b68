"""Stores the staff accounts of an organisation: who may sign in, in which role, with which password.

It stores records and password hashes. A change of role, password or status increases the account's generation, a
number. Then every older session of the account ends, and the change is published, so that open sockets close.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unreadable import readable
from signalling.visit.record import STAFF_ROLES, Role, Staff
from web.errors import AccountError, BusyError
from web.identity import passwords
from web.languages.i18n import N_
from web.organisations.documents import Organisations
from web.requests.mail_addresses import mail_address
from web.requests.unicode import normalized

ROLES: tuple[Role, ...] = tuple(sorted({*STAFF_ROLES, Role.AUDITOR}))
# The allowed lengths of passwords in characters (OWASP ASVS 5.0 6.2.1, 6.2.9).
PASSWORD_LENGTHS = range(12, 257)
MAX_WAITING = 64
"""The greatest number of passwords that wait to be hashed; a further password is refused with BusyError."""
HASHER = PasswordHasher(time_cost=1, memory_cost=47104, parallelism=1)
"""OWASP's first choice of parameters for argon2id: 46 MiB, one pass, one lane; about 40 ms of one core."""

CREATE = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 1
"""

REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[4] == '1' then
  local others = 0
  for _, record in ipairs(redis.call('HVALS', KEYS[1])) do
    local other = cjson.decode(record)
    if other.id ~= ARGV[1] and other.role == 'admin' and not other.disabled and other.hash ~= '' then
      others = others + 1
    end
  end
  if others == 0 then return -1 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

PRODUCT = "Greenroom"
LENGTH = N_("The password must have 12 to 256 characters.")
LAST_ADMIN = N_("There must be an administrator who can sign in; make somebody else one first.")


class Changed(msgspec.Struct, frozen=True, array_like=True):
    """A message to all workers: close the person's sockets. With `session`, close only the sockets of this session."""

    organisation: str
    person: str
    session: str | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a member of staff, or of an auditor, who reads the audit log and nothing about patients.

    `states`: the states or regions in which the person is licensed; `areas`: the waiting areas in which the person
    works (() for all). `generation` is increased to end all sessions of the account.
    """

    id: str
    email: str
    name: str
    role: Role
    states: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    hash: str
    generation: int = 1
    disabled: bool = False
    mail_assigned: bool = False
    """Whether the person wants a mail when a patient is assigned to them."""
    notify: bool = True
    """Whether the person wants desktop notifications; the browser must also allow them."""
    phone: str = ""
    """The number for text messages to the person: E.164 with spaces, or ""."""
    texts: bool = False
    """Whether the person wants a text message when a patient waits while the person has no page open."""
    language: str = ""
    """The language of mails to the person; "" means the organisation's first language."""
    second_factor: bool = False
    """Whether sign-in needs a second factor (`web.identity.second_factor`) in addition to the password."""

    @property
    def staff(self) -> Staff:
        """This person as a `Staff` record of signalling."""
        return Staff(id=self.id, name=self.name, role=self.role, states=self.states, areas=self.areas)


def nobodys_hash() -> str:
    """Return a hash that no password matches.

    If there is no account, the typed password is compared with this hash, so that the answer takes as long as for an
    account. Random bytes are enough for it: the time is spent on the comparison, not on making this hash.
    """
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return (
        f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${salt}${digest}"
    )


class Hasher:
    """Computes argon2id hashes on a few threads: many sign-ins neither block the event loop nor fill the memory."""

    def __init__(self, at_once: int = 2) -> None:
        self._hasher = HASHER
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody = nobodys_hash()

    async def hash(self, password: str) -> str:
        """Return the hash to store for a password. Raises BusyError if too many passwords wait to be hashed."""
        return str(await self._run(self._hasher.hash, _normal(password)))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Return whether the password matches the hash `kept`.

        If `kept` is None, because there is no account, the call takes as long as with a hash, and returns False.
        Raises BusyError if too many passwords wait to be hashed.
        """
        right = await self._run(self._verify, kept or self._nobody, _normal(password))
        return bool(right) and kept is not None

    async def derived(self, secret: str, salt: bytes) -> bytes:
        """Return 32 bytes derived from the secret and salt, with the same effort as a hash.

        Raises BusyError if too many secrets wait to be hashed.
        """
        return bytes(await self._run(self._derive, secret, salt))

    def close(self) -> None:
        """End the threads that compute hashes; passwords that still wait are not hashed."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def _derive(self, secret: str, salt: bytes) -> bytes:
        how = self._hasher
        return hash_secret_raw(
            secret.encode(), salt, how.time_cost, how.memory_cost, how.parallelism, 32, Type.ID
        )

    async def _run(self, work: Callable[..., Any], *args: str | bytes) -> Any:
        if self._waiting >= MAX_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1


class Accounts:
    """Stores the accounts of all organisations. The caller must check that an organisation exists."""

    def __init__(self, redis: Redis, hasher: Hasher) -> None:
        self._redis = redis
        self._hasher = hasher
        self._decoded = msgspec.json.Decoder(Account).decode
        self._create = redis.register_script(CREATE)
        self._replace = redis.register_script(REPLACE)

    async def add(
        self,
        organisation: str,
        *,
        email: str,
        name: str,
        role: Role,
        password: str | None,
        states: tuple[str, ...] = (),
        person: str | None = None,
    ) -> Account:
        """Add an account and return it.

        `password`: None to make an account that cannot sign in until a password is set. `states`: the regions of the
        person's licences. `person`: the account's id, None for a random id. Raises AccountError if the email has an
        account already or a value is not allowed, and BusyError if too many passwords wait to be hashed.
        """
        email, name = email.strip(), " ".join(name.split())
        check_new(email, name, role)
        if password is not None:
            check_password(password, email, name, *await self._clinic(organisation))
        account = Account(
            id=person or "u_" + secrets.token_urlsafe(9),
            email=email,
            name=name,
            role=role,
            states=states,
            hash="" if password is None else await self._hasher.hash(password),
        )
        if not await self._create(
            keys=[keys.EMAILS(organisation), keys.ACCOUNTS(organisation)],
            args=[_address(email), account.id, msgspec.json.encode(account)],
        ):
            raise AccountError(f"There is an account for {email} already.")
        return account

    async def get(self, organisation: str, person: str) -> Account | None:
        """Return the account with this id, also if the account is disabled; None if there is none."""
        kept = await self._redis.hget(keys.ACCOUNTS(organisation), person)
        return None if kept is None else self._decoded(kept)

    async def many(self, organisation: str, people: Sequence[str]) -> Sequence[Account | None]:
        """Return the accounts with these ids, in their order; None for one that does not exist or cannot be read."""
        kept = cast(list[bytes | None], await self._redis.hmget(keys.ACCOUNTS(organisation), people))
        return [readable(organisation, "account", record, self._decoded) for record in kept]

    async def find(self, organisation: str, email: str) -> Account | None:
        """Return the account with this email address, or None; upper and lower case make no difference."""
        person = await self._person(organisation, email)
        return None if person is None else await self.get(organisation, person)

    async def list(self, organisation: str) -> list[Account]:
        """Return all accounts of the organisation, disabled or not, sorted by name."""
        found = map(self._decoded, await self._redis.hvals(keys.ACCOUNTS(organisation)))
        return sorted(found, key=lambda account: (account.name.casefold(), account.id))

    async def check(self, organisation: str, email: str, password: str) -> Account | None:
        """Return the account with this email and password, or None; both cases take the same time.

        Raises BusyError if too many passwords wait to be compared.
        """
        account = await self.find(organisation, email) if len(email) <= 254 else None
        usable = account is not None and not account.disabled
        kept = account.hash if account is not None and usable else None
        return account if await self._hasher.matches(kept, password[: PASSWORD_LENGTHS.stop]) else None

    async def disable(self, organisation: str, email: str) -> Account:
        """Disable the account: sign-in is refused, its sessions end, and its devices get no more notifications.

        Raises AccountError if it does not exist.
        """
        return await self._change(organisation, email, disabled=True)

    async def enable(self, organisation: str, email: str) -> Account:
        """Allow the account, which was disabled, to sign in again. Raises AccountError if it does not exist."""
        return await self._change(organisation, email, disabled=False)

    async def set_password(self, organisation: str, email: str, password: str, of: int = 0) -> Account:
        """Set a new password; older sessions end. `of`: the generation that the account must have, 0 for any.

        Raises AccountError if there is no such account, or if the password is not allowed.
        """
        found = await self.find(organisation, email)
        check_password(password, email, found.name if found else "", *await self._clinic(organisation))
        return await self._change(organisation, email, of=of, hash=await self._hasher.hash(password))

    async def set_second_factor(self, organisation: str, email: str, *, on: bool) -> Account:
        """Set whether sign-in needs a second factor; older sessions end. Raises AccountError if there is no account."""
        return await self._change(organisation, email, second_factor=on)

    async def forget_password(self, organisation: str, email: str) -> Account:
        """Remove the account's password, and end all its sessions. Raises AccountError if there is no account."""
        return await self._change(organisation, email, hash="")

    async def edit(
        self,
        organisation: str,
        email: str,
        *,
        name: str,
        role: Role,
        states: tuple[str, ...],
        areas: tuple[str, ...] = (),
    ) -> Account:
        """Change name, role, licensed states and areas; sessions end if the role changes.

        Raises AccountError if there is no such account, or if a value is not allowed.
        """
        name = " ".join(name.split())
        _check(name, role)
        before = await self.find(organisation, email)
        ends = before is not None and before.role is not role
        return await self._change(
            organisation, email, ends_sessions=ends, name=name, role=role, states=states, areas=areas
        )

    async def prefer(
        self,
        organisation: str,
        email: str,
        *,
        mail_assigned: bool,
        notify: bool,
        language: str,
        phone: str,
        texts: bool,
    ) -> Account:
        """Store an account's preferences (see `Account`); no session ends. Raises AccountError for an unknown email."""
        chosen: dict[str, Any] = {"mail_assigned": mail_assigned, "notify": notify, "language": language}
        chosen |= {"phone": phone, "texts": texts}
        return await self._change(organisation, email, ends_sessions=False, **chosen)

    async def _clinic(self, organisation: str) -> tuple[str, ...]:
        """Return the clinic's name and slug. Strangers know them, so a password must not consist of them."""
        document = await Organisations(self._redis).read(organisation)
        return (organisation,) if document is None else (organisation, document.name)

    async def _person(self, organisation: str, email: str) -> str | None:
        found = cast(bytes | None, await self._redis.hget(keys.EMAILS(organisation), _address(email)))
        return None if found is None else found.decode()

    async def _change(
        self, organisation: str, email: str, *, ends_sessions: bool = True, of: int = 0, **changes: Any
    ) -> Account:
        for _ in range(20):
            person = await self._person(organisation, email)
            if person is None:
                raise AccountError(f"There is no account for {email}.")
            kept = cast(bytes, await self._redis.hget(keys.ACCOUNTS(organisation), person))
            old = self._decoded(kept)
            if of not in (0, old.generation):
                break
            new = msgspec.structs.replace(old, generation=old.generation + ends_sessions, **changes)
            stops = _is_admin(old) and not _is_admin(new)
            args: list[str | bytes] = [person, kept, msgspec.json.encode(new), str(int(stops))]
            done = await self._replace(keys=[keys.ACCOUNTS(organisation)], args=args)
            if done == -1:
                raise AccountError(LAST_ADMIN)
            if done:
                if new.disabled or new.role not in STAFF_ROLES:
                    await self._redis.delete(keys.STAFF_DEVICES(organisation, new.id))
                if ends_sessions:
                    await publish(self._redis, organisation, new.id)
                return new
        raise AccountError("Others are changing this account too; try again.")


async def publish(redis: Redis, organisation: str, person: str, session: str | None = None) -> None:
    """Make all workers close a person's sockets; with `session` (its key in the store), only those of the session."""
    await redis.publish(keys.ACCOUNTS_CHANNEL, msgspec.msgpack.encode(Changed(organisation, person, session)))


def pseudonym(email: str) -> str:
    """Return a hash of an email address; all spellings of the address have the same hash."""
    return hashlib.sha256(_address(email).encode()).hexdigest()[:32]


def check_new(email: str, name: str, role: Role) -> None:
    """Raise AccountError if no new account may have this email, name and role."""
    if not mail_address(email.strip(), public=False):
        raise AccountError(f"{email!r} is not an email address.")
    _check(name, role)


def _check(name: str, role: Role) -> None:
    if not 1 <= len(name) <= 100:
        raise AccountError("The name must have 1 to 100 characters.")
    if role not in ROLES:
        raise AccountError(f"The role must be {' or '.join(ROLES)}.")


def _is_admin(account: Account) -> bool:
    return account.role is Role.ADMIN and not account.disabled and bool(account.hash)


def check_password(password: str, *own: str) -> None:
    """Raise AccountError if the password has a wrong length or is easily guessed.

    `own`: texts about the person and the clinic; the password must not consist of them. The error's text is
    an English sentence with translations. Every form and command that sets a password calls this function.
    """
    if len(_normal(password)) not in PASSWORD_LENGTHS:
        raise AccountError(LENGTH)
    weak = passwords.weakness(password, (PRODUCT, *own))
    if weak is not None:
        raise AccountError(weak.value)


def _normal(password: str) -> str:
    """Return the password in Unicode form NFC, so that every keyboard gives the same text (RFC 8265 §4.2.2)."""
    return normalized("NFC", password)


def _address(email: str) -> str:
    return normalized("NFC", email.strip()).casefold()
