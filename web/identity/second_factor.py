"""Second factors of staff accounts: an authenticator app's secret, and ten recovery codes.

Knows records in the store, sealed, and that everything opens once: a code's step and a recovery code are spent in the
store, so that of two workers that are shown the same one, one lets it pass. Knows no page, no throttle and no session.
Whether an account is asked for it at all stands with the account (`Account.second_factor`).
"""

import base64
import secrets
from typing import cast

from redis.asyncio import Redis

from signalling.store.encryption import Seal, SealError
from signalling.store.records import answering
from web.identity import totp
from web.identity.accounts import Account, Accounts, Hasher
from web.requests.unicode import normalized

CODES = 10
CODE_LENGTH = 12
"""60 bits a recovery code; kept as argon2id with a salt (OWASP ASVS 5.0 6.5.2)."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans("OIL", "011")  # Crockford's base32: what is easily taken for another is the other
SALT_BYTES = 16

SPEND = """
local secret, last = unpack(redis.call('HMGET', KEYS[1], 'secret', 'step'))
if secret ~= ARGV[1] or tonumber(ARGV[2]) <= tonumber(last) then return 0 end
redis.call('HSET', KEYS[1], 'step', ARGV[2])
return 1
"""
"""A step is spent with all before it (RFC 6238 §5.2: accepted once)."""


class SecondFactors:
    """The second factors of all organisations. What waits raises `Unavailable` where the store does not answer."""

    def __init__(self, redis: Redis, seal: Seal, hasher: Hasher) -> None:
        self._redis = redis
        self._seal = seal
        self._hasher = hasher
        self._spend = redis.register_script(SPEND)

    def drawn(self, organisation: str, person: str) -> str:
        """A new secret for the person, sealed, for a session to keep until a code has proven that their app has it."""
        secret = secrets.token_bytes(totp.SECRET_BYTES)
        return base64.b64encode(self._seal.close(secret, _place(organisation, person))).decode()

    def opened(self, organisation: str, person: str, sealed: str) -> bytes | None:
        """The secret that `drawn` sealed for this person; None where it is another's, or older than the data key."""
        try:
            return self._seal.open(base64.b64decode(sealed), _place(organisation, person))
        except SealError:
            return None

    async def turn_on(
        self, organisation: str, person: str, secret: bytes, written: str, now_ms: int
    ) -> list[str] | None:
        """Keeps the secret, where its code was written; returns the recovery codes, else None. Raises Busy."""
        steps = list(totp.steps_of(secret, plain(written), now_ms))
        if not steps:
            return None
        codes, salt, hashes = await self._codes()
        sealed = self._seal.close(secret, _place(organisation, person))
        async with answering():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(_key(organisation, person), _codes_key(organisation, person))
            pipe.hset(_key(organisation, person), "secret", sealed)
            pipe.hset(_key(organisation, person), "step", steps[-1])
            pipe.hset(_key(organisation, person), "salt", salt)
            pipe.sadd(_codes_key(organisation, person), *hashes)
            await pipe.execute()
        return codes

    async def renew_codes(self, organisation: str, person: str) -> list[str]:
        """New recovery codes; the old ones open nothing any more. Raises Busy."""
        codes, salt, hashes = await self._codes()
        async with answering():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(_codes_key(organisation, person))
            pipe.hset(_key(organisation, person), "salt", salt)
            pipe.sadd(_codes_key(organisation, person), *hashes)
            await pipe.execute()
        return codes

    async def codes_left(self, organisation: str, person: str) -> int:
        """How many recovery codes were not used yet."""
        async with answering():
            return await self._redis.scard(_codes_key(organisation, person))

    async def passes(self, organisation: str, person: str, written: str, now_ms: int) -> bool:
        """Whether this is the person's code of now, or a recovery code; it is spent by that. Raises Busy."""
        typed = plain(written)
        if totp.is_code(typed):
            return await self._spends_step(organisation, person, typed, now_ms)
        if len(typed) == CODE_LENGTH:
            return await self._spends_code(organisation, person, typed)
        return False

    async def _spends_step(self, organisation: str, person: str, typed: str, now_ms: int) -> bool:
        key = _key(organisation, person)
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
            salt = cast(bytes | None, await self._redis.hget(_key(organisation, person), "salt"))
        if salt is None:
            return False
        found = await self._hasher.derived(typed.translate(LOOKALIKES), salt)
        async with answering():
            return bool(await self._redis.srem(_codes_key(organisation, person), found))

    async def _codes(self) -> tuple[list[str], bytes, list[bytes]]:
        """Recovery codes as they are shown, and what is kept of them."""
        codes = ["".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)) for _ in range(CODES)]
        salt = secrets.token_bytes(SALT_BYTES)
        hashes = [await self._hasher.derived(code, salt) for code in codes]
        return (
            ["-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4)) for code in codes],
            salt,
            hashes,
        )


async def turn_off(redis: Redis, accounts: Accounts, organisation: str, email: str) -> Account:
    """The account is asked for its password only, and its sessions end. Raises AccountError for an unknown one."""
    changed = await accounts.set_second_factor(organisation, email, on=False)
    async with answering():
        await redis.delete(_key(organisation, changed.id), _codes_key(organisation, changed.id))
    return changed


def plain(written: str) -> str:
    """What was typed, as it is compared: capitals and digits, without the spaces and hyphens between."""
    text = normalized("NFKC", written[:100]).upper()
    return "".join(char for char in text if char.isalnum())


def _key(organisation: str, person: str) -> str:
    return f"{{{organisation}}}:second_factor:{person}"


def _codes_key(organisation: str, person: str) -> str:
    return f"{{{organisation}}}:second_factor:{person}:codes"


def _place(organisation: str, person: str) -> str:
    return f"{organisation}/second_factor/{person}"
