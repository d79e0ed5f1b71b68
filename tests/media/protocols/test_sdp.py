"""The offer and the answer: what is read, and the code of each refusal."""

import pytest

from media.protocols import sdp
from media.protocols.ice import Candidate, Credentials
from media.protocols.sdp import Fingerprint, SdpError

FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))
OFFER = sdp.offer(
    Credentials("abcdef", "0123456789abcdef01234567"),
    FINGERPRINT,
    [Candidate("192.0.2.1", 5000), Candidate("2001:db8::1", 5000)],
    {"audio": 11, "video": 22, "rtx": 33},
    session_id=42,
    version=2,
)
ANSWER = OFFER.replace("actpass", "active").replace("a=ice-lite\r\n", "")


def test_an_offer_names_each_address_once_per_section_best_first() -> None:
    candidates = [line for line in OFFER.split("\r\n") if line.startswith("a=candidate:")]
    assert [line.split()[4] for line in candidates] == ["192.0.2.1", "2001:db8::1"] * 2
    priorities = [int(line.split()[3]) for line in candidates[:2]]
    assert priorities == sorted(priorities, reverse=True)


def test_an_answer_says_who_sends_what() -> None:
    answer = sdp.parse_answer(ANSWER.replace("a=sendrecv", "a=recvonly", 1))
    assert answer.ufrag == "abcdef"
    assert dict(answer.sources) == {"audio": 11, "video": 22, "rtx": 33}
    assert answer.sending == {"video"}
    assert not answer.rejected


def test_one_section_may_be_rejected() -> None:
    answer = sdp.parse_answer(ANSWER.replace("m=video 9", "m=video 0"))
    assert answer.rejected == {"video"}
    assert set(answer.sources) == {"audio"}


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("not-sdp", "v=0", "v=1"),
        ("not-sdp", "s=-", "nonsense"),
        ("media", "m=audio", "m=application"),
        ("codec", "SAVPF 111", "SAVPF 8"),
        ("fingerprint", "a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        ("fingerprint", "AB:AB:AB:", "AB:AB:"),
        ("fingerprint", "a=fingerprint", "a=nofingerprint"),
        ("ice", "a=ice-ufrag:abcdef", "a=ice-ufrag:a"),
        ("ice", "a=ice-pwd", "a=nopwd"),
        ("setup", "a=setup:active", "a=setup:passive"),
        ("rtcp-mux", "a=rtcp-mux", "a=nomux"),
        ("bundle", "a=group:BUNDLE", "a=group:LS"),
        ("ssrc", "a=ssrc:11 ", "a=ssrc:4294967296 "),
        ("ssrc", "a=ssrc:11 ", "a=ssrc:22 "),
        ("ssrc", "FID 22 33", "FID 22"),
        ("nothing", " 9 UDP", " 0 UDP"),
        ("too-large", "t=0 0", "t=0 0" + "\r\na=x" * 1000),
        ("too-large", "t=0 0", "a=" + "x" * 70_000),
        ("media-count", "m=video", "b=video"),
    ],
)
def test_each_fault_of_an_answer_has_its_code(code: str, old: str, new: str) -> None:
    assert old in ANSWER
    with pytest.raises(SdpError) as refused:
        sdp.parse_answer(ANSWER.replace(old, new))
    assert refused.value.code == code
    assert "abcdef" not in str(refused.value)
