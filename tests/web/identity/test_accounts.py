"""Tests accounts on a real store (Valkey): who may sign in, and which sessions end when an account is changed."""

import asyncio
import statistics
import threading
import time

import msgspec
import pytest
from redis.asyncio import Redis

from signalling.store import keys
from signalling.visit.record import Role
from tests.limits import WAIT_S
from tests.signalling.waits import until
from web.errors import AccountError, BusyError
from web.identity import accounts as module
from web.identity.accounts import Accounts, Hasher, pseudonym
from web.identity.invitations import Invitations, name_of

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(valkey: Redis, full_passwords: None) -> Accounts:
    return Accounts(valkey, Hasher())


async def add(accounts: Accounts, email: str = "osei@example.org", **fields: object) -> module.Account:
    kept = {"name": "Dr Maya Osei", "role": Role.PROVIDER, "password": PASSWORD, **fields}
    return await accounts.add("demo", email=email, **kept)  # type: ignore[arg-type]


async def give_role(accounts: Accounts, email: str, role: Role) -> module.Account:
    return await accounts.edit("demo", email, name="Dr Maya Osei", role=role, states=())


async def test_an_account_is_found_by_its_email_however_it_is_written(accounts: Accounts) -> None:
    added = await add(accounts, "Osei@Example.org")
    assert await accounts.check("demo", " osei@example.ORG ", PASSWORD) == added
    assert await accounts.check("demo", "osei@example.org", PASSWORD + "x") is None
    assert await accounts.check("lakeside", "osei@example.org", PASSWORD) is None
    assert pseudonym("Osei@Example.org") == pseudonym("osei@example.org ")


async def test_a_password_is_kept_as_argon2id_only(accounts: Accounts, valkey: Redis) -> None:
    added = await add(accounts)
    assert added.hash.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    for key in await valkey.keys("*"):
        assert PASSWORD.encode() not in (await valkey.dump(key) or b"")


async def test_a_password_may_be_typed_in_another_form_of_the_same_letters(accounts: Accounts) -> None:
    await add(accounts, password="caf\u00e9 au lait, grand")
    assert await accounts.check("demo", "osei@example.org", "cafe\u0301 au lait, grand")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "osei"}, "is not an email address"),
        ({"email": "a@b\nc"}, "is not an email address"),
        ({"name": " "}, "name must have"),
        ({"role": Role.PATIENT}, "role must be"),
        ({"password": "short"}, "12 to 256 characters"),
        ({"password": "x" * 257}, "12 to 256 characters"),
    ],
)
async def test_an_account_that_is_not_valid_is_refused_with_a_sentence(
    accounts: Accounts, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(AccountError, match=words):
        await add(accounts, **fields)  # type: ignore[arg-type]
    assert await accounts.list("demo") == []


async def test_two_who_add_the_same_email_at_once_make_one_account(accounts: Accounts) -> None:
    answers = await asyncio.gather(*(add(accounts) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(answer, AccountError) for answer in answers) == 3
    assert len(await accounts.list("demo")) == 1


async def test_each_change_ends_earlier_sessions_and_is_sent_to_all_workers(
    accounts: Accounts, valkey: Redis
) -> None:
    added = await add(accounts)
    await add(accounts, "admin@example.org", role=Role.ADMIN)
    pubsub = valkey.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(keys.ACCOUNTS_CHANNEL)
    email = "osei@example.org"
    steps = [
        await accounts.set_password("demo", email, "another long password"),
        await give_role(accounts, email, Role.ADMIN),
        await accounts.disable("demo", email),
        await accounts.enable("demo", email),
    ]
    assert [step.generation for step in steps] == [2, 3, 4, 5]
    told: list[module.Changed] = []
    async with asyncio.timeout(WAIT_S):
        while len(told) < 4:
            message = await pubsub.get_message(timeout=1)
            if message is not None:
                told.append(msgspec.msgpack.decode(message["data"], type=module.Changed))
    assert told == [module.Changed("demo", added.id, None)] * 4
    await pubsub.aclose()  # type: ignore[no-untyped-call]


async def test_a_disabled_account_cannot_be_signed_in_to(accounts: Accounts) -> None:
    await add(accounts)
    await accounts.disable("demo", "osei@example.org")
    assert await accounts.check("demo", "osei@example.org", PASSWORD) is None
    await accounts.enable("demo", "osei@example.org")
    assert await accounts.check("demo", "osei@example.org", PASSWORD) is not None


async def test_two_changes_at_the_same_time_both_take_effect(accounts: Accounts) -> None:
    await add(accounts)
    await add(accounts, "admin@example.org", role=Role.ADMIN)
    await asyncio.gather(
        give_role(accounts, "osei@example.org", Role.ADMIN),
        accounts.disable("demo", "osei@example.org"),
    )
    account = await accounts.find("demo", "osei@example.org")
    assert account is not None
    assert (account.role, account.disabled, account.generation) == (Role.ADMIN, True, 3)


async def test_changing_an_account_that_does_not_exist_is_refused_with_a_sentence(accounts: Accounts) -> None:
    with pytest.raises(AccountError, match="There is no account for nobody@"):
        await accounts.disable("demo", "nobody@example.org")


async def test_an_unknown_email_takes_as_long_as_a_wrong_password(accounts: Accounts) -> None:
    await add(accounts)
    times: dict[str, list[float]] = {"osei@example.org": [], "nobody@example.org": []}
    for _ in range(9):
        for email, found in times.items():
            started = time.process_time()  # of all threads; other processes do not change it
            await accounts.check("demo", email, "wrong password here")
            found.append(time.process_time() - started)
    known, unknown = (statistics.median(found) for found in times.values())
    assert abs(known - unknown) < 0.5 * max(known, unknown)


async def test_a_rush_of_sign_ins_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 4)
    goes_on, verify = threading.Event(), Hasher._verify

    def late(hasher: Hasher, kept: str, password: str) -> bool:
        goes_on.wait(WAIT_S)
        return verify(hasher, kept, password)

    monkeypatch.setattr(Hasher, "_verify", late)
    checks = [asyncio.create_task(accounts.check("demo", "nobody@example.org", "x" * 12)) for _ in range(24)]
    try:
        await until(lambda: sum(check.done() for check in checks) == 20)
    finally:
        goes_on.set()
    answers = await asyncio.gather(*checks, return_exceptions=True)
    assert sum(isinstance(answer, BusyError) for answer in answers) == 20


async def test_there_is_always_an_administrator_who_can_sign_in(accounts: Accounts) -> None:
    for name in ("one", "two"):
        await add(accounts, f"{name}@example.org", role=Role.ADMIN)
    await add(accounts, "invited@example.org", role=Role.ADMIN, password=None)
    ways = [
        accounts.disable("demo", "one@example.org"),
        give_role(accounts, "two@example.org", Role.PROVIDER),
    ]
    done = await asyncio.gather(*ways, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in done) == ["Account", "AccountError"]
    (left,) = [a for a in await accounts.list("demo") if a.role is Role.ADMIN and not a.disabled and a.hash]
    with pytest.raises(AccountError, match="must be an administrator"):
        await accounts.forget_password("demo", left.email)


async def test_an_account_without_a_password_accepts_no_password(accounts: Accounts) -> None:
    await add(accounts, password=None)
    for password in ("", PASSWORD):
        assert await accounts.check("demo", "osei@example.org", password) is None


async def test_states_of_licence_change_without_signing_anybody_out(accounts: Accounts) -> None:
    added = await add(accounts)
    same = await accounts.edit(
        "demo", added.email, name="Dr M. Osei", role=Role.PROVIDER, states=("TX", "NM")
    )
    assert (same.name, same.states, same.generation) == ("Dr M. Osei", ("TX", "NM"), 1)
    other = await accounts.edit("demo", added.email, name="Dr M. Osei", role=Role.ADMIN, states=())
    assert (other.role, other.generation) == (Role.ADMIN, 2)


# --- tests of one-time links for setting a password


async def test_a_link_opens_its_account_once(accounts: Accounts, valkey: Redis) -> None:
    invitations = Invitations(valkey, accounts)
    added = await add(accounts, password=None)
    token = await invitations.make("demo", added)
    assert await invitations.look("demo", name_of(token)) == added
    assert await invitations.look("lakeside", name_of(token)) is None
    found = await asyncio.gather(*(invitations.use("demo", name_of(token)) for _ in range(8)))
    assert [account for account in found if account is not None] == [added]
    assert await invitations.look("demo", name_of(token)) is None
    for key in await valkey.keys("*"):
        assert token.encode() not in key


async def test_a_link_ends_when_the_account_changes(accounts: Accounts, valkey: Redis) -> None:
    invitations = Invitations(valkey, accounts)
    token = await invitations.make("demo", await add(accounts, password=None))
    await accounts.set_password("demo", "osei@example.org", PASSWORD)
    assert await invitations.use("demo", name_of(token)) is None
