"""Stores the second factors of staff accounts: an authenticator app's secret, and ten recovery codes.

The records in the store are encrypted. Every code works once: the store records the time step of an accepted
code, or removes the accepted recovery code. So if two requests have the same code, only one request is accepted.
`Account.second_factor` decides whether an account needs a second factor.
"""

import base64
import secrets
from typing import cast

from redis.asyncio import Redis

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from web.identity import totp
from web.identity.accounts import Account, Accounts, Hasher
from web.requests.unicode import normalized

CODES = 10
CODE_LENGTH = 12
"""The number of characters of a recovery code, which gives 60 random bits. Codes are stored as argon2id
hashes with a salt (OWASP ASVS 5.0 6.5.2)."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Recovery codes are in Crockford's base32. A typed letter that looks like a digit is read as that digit.
LOOKALIKES = str.maketrans("OIL", "011")
SALT_BYTES = 16

SPEND = """
local secret, last = unpack(redis.call('HMGET', KEYS[1], 'secret', 'step'))
if secret ~= ARGV[1] or tonumber(ARGV[2]) <= tonumber(last) then return 0 end
redis.call('HSET', KEYS[1], 'step', ARGV[2])
return 1
"""
"""A Lua script that accepts a code only if the secret is unchanged, and the code's time step is later than that
of the last accepted code (RFC 6238 §5.2)."""


class SecondFactors:
    """Checks and changes the second factors of all organisations.

    Coroutines raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis, seal: Seal, hasher: Hasher) -> None:
        self._redis = redis
        self._seal = seal
        self._hasher = hasher
        self._spend = redis.register_script(SPEND)

    def drawn(self, organisation: str, person: str) -> str:
        """Return a new encrypted secret for the person.

        The caller keeps it in the session until a code proves that the person's app has the secret.
        """
        secret = secrets.token_bytes(totp.SECRET_BYTES)
        return base64.b64encode(self._seal.close(secret, _place(organisation, person))).decode()

    def opened(self, organisation: str, person: str, sealed: str) -> bytes | None:
        """Return the secret that `drawn` has encrypted as `sealed`.

        Returns None if `sealed` was made for another person, or was encrypted with an unknown data key.
        """
        try:
            return self._seal.open(base64.b64decode(sealed), _place(organisation, person))
        except SealError:
            return None

    async def turn_on(
        self, organisation: str, person: str, secret: bytes, written: str, now_ms: int
    ) -> list[str] | None:
        """Store the secret if the typed code is its current code, and return the recovery codes; otherwise return None.

        `written`: the code as typed. Raises BusyError if too many hashes wait to be computed.
        """
        steps = list(totp.steps_of(secret, plain(written), now_ms))
        if not steps:
            return None
        codes, salt, hashes = await self._codes()
        sealed = self._seal.close(secret, _place(organisation, person))
        async with answering():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(keys.SECOND_FACTOR(organisation, person), keys.RECOVERY_CODES(organisation, person))
            pipe.hset(keys.SECOND_FACTOR(organisation, person), "secret", sealed)
            pipe.hset(keys.SECOND_FACTOR(organisation, person), "step", steps[-1])
            pipe.hset(keys.SECOND_FACTOR(organisation, person), "salt", salt)
            pipe.sadd(keys.RECOVERY_CODES(organisation, person), *hashes)
            await pipe.execute()
        return codes

    async def renew_codes(self, organisation: str, person: str) -> list[str]:
        """Return new recovery codes; the old codes no longer work.

        Raises BusyError if too many hashes wait to be computed.
        """
        codes, salt, hashes = await self._codes()
        async with answering():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(keys.RECOVERY_CODES(organisation, person))
            pipe.hset(keys.SECOND_FACTOR(organisation, person), "salt", salt)
            pipe.sadd(keys.RECOVERY_CODES(organisation, person), *hashes)
            await pipe.execute()
        return codes

    async def codes_left(self, organisation: str, person: str) -> int:
        """Return the number of recovery codes that the person has not used yet."""
        async with answering():
            return await self._redis.scard(keys.RECOVERY_CODES(organisation, person))

    async def passes(self, organisation: str, person: str, written: str, now_ms: int) -> bool:
        """Return whether the typed code is the person's current code or a recovery code; a right code is then used up.

        `written`: the code as typed. Raises BusyError if too many hashes wait to be computed.
        """
        typed = plain(written)
        if totp.is_code(typed):
            return await self._spends_step(organisation, person, typed, now_ms)
        if len(typed) == CODE_LENGTH:
            return await self._spends_code(organisation, person, typed)
        return False

    async def _spends_step(self, organisation: str, person: str, typed: str, now_ms: int) -> bool:
        key = keys.SECOND_FACTOR(organisation, person)
        async with answering():
            sealed = cast(bytes | None, await self._redis.hget(key, "secret"))
        if sealed is None:
            return False
        secret = self._seal.open(sealed, _place(organisation, person))
        for step in totp.steps_of(secret, typed, now_ms):
            async with answering():
                if await self._spend(keys=[key], args=[sealed, step]):
                    return True
        return False

    async def _spends_code(self, organisation: str, person: str, typed: str) -> bool:
        async with answering():
            salt = cast(
                bytes | None, await self._redis.hget(keys.SECOND_FACTOR(organisation, person), "salt")
            )
        if salt is None:
            return False
        found = await self._hasher.derived(typed.translate(LOOKALIKES), salt)
        async with answering():
            return bool(await self._redis.srem(keys.RECOVERY_CODES(organisation, person), found))

    async def _codes(self) -> tuple[list[str], bytes, list[bytes]]:
        """Return new recovery codes in the form that people see, their salt, and the hashes to store."""
        codes = ["".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(CODES)]
        salt = secrets.token_bytes(SALT_BYTES)
        hashes = [await self._hasher.derived(code, salt) for code in codes]
        return (
            ["-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4)) for code in codes],
            salt,
            hashes,
        )


async def turn_off(redis: Redis, accounts: Accounts, organisation: str, email: str) -> Account:
    """Remove the second factor of the account with this email, and end the account's sessions. Raises AccountError if
    the account does not exist.
    """
    changed = await accounts.set_second_factor(organisation, email, on=False)
    async with answering():
        await redis.delete(
            keys.SECOND_FACTOR(organisation, changed.id), keys.RECOVERY_CODES(organisation, changed.id)
        )
    return changed


def plain(written: str) -> str:
    """Return the typed code in the form that is compared: capitals and digits, without spaces and hyphens."""
    text = normalized("NFKC", written[:100]).upper()
    return "".join(char for char in text if char.isalnum())


def _place(organisation: str, person: str) -> str:
    return f"{organisation}/second_factor/{person}"
