"""Tests the offer and the answer: the parsed fields, and the code of each refusal."""

import pytest

from media.errors import SdpError
from media.protocols import sdp
from media.protocols.codecs import StreamKind
from media.protocols.ice import Candidate, Credentials
from media.protocols.sdp import Fingerprint

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


SECTION = """\
c=IN IP4 192.0.2.1
a=rtcp-mux
a=rtcp-rsize
a=ice-ufrag:abcdef
a=ice-pwd:0123456789abcdef01234567
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a={direction}
a=mid:{mid}
a=msid:{label} {label}-{kind}
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
"""
AUDIO = """\
m=audio 9 UDP/TLS/RTP/SAVPF 63 111
{section}a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1
a=rtcp-fb:111 nack
a=rtcp-fb:111 transport-cc
a=ssrc:{audio} cname:{label}
"""
VIDEO = """\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103
{section}a=rtpmap:96 VP8/90000
a=fmtp:96 x-google-start-bitrate=1000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 transport-cc
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;x-google-start-bitrate=1000
a=rtcp-fb:102 nack
a=rtcp-fb:102 nack pli
a=rtcp-fb:102 ccm fir
a=rtcp-fb:102 transport-cc
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=ssrc-group:FID {video} {rtx}
a=ssrc:{video} cname:{label}
a=ssrc:{rtx} cname:{label}
"""
CANDIDATES = """\
a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host
a=candidate:2 1 udp 2130706175 2001:db8::1 5000 typ host
a=end-of-candidates
"""
SESSION = """\
v=0
o=- 42 2 IN IP4 192.0.2.1
s=-
t=0 0
a=group:BUNDLE {mids}
a=ice-lite
a=msid-semantic: WMS *
"""


def sections(label: str, direction: str, mids: tuple[int, int], further: str, **ssrcs: int) -> str:
    """Return the two sections of an offer, of audio and video, that describe the media of the other party
    `label`.

    `direction`: such as "sendonly". `mids`: the ids of the sections. `further`: the lines at the end of each
    section. `ssrcs`: the SSRC of each stream, by its kind.
    """
    both = ""
    for kind, text, mid in (("audio", AUDIO, mids[0]), ("video", VIDEO, mids[1])):
        section = SECTION.format(
            fingerprint=FINGERPRINT.value, direction=direction, mid=mid, label=label, kind=kind
        )
        both += text.format(section=section, label=label, **ssrcs) + further
    return both


def test_an_offer_is_this_text() -> None:
    first = sections("remote", "sendrecv", (0, 1), CANDIDATES, audio=11, video=22, rtx=33)
    assert OFFER.replace("\r\n", "\n") == SESSION.format(mids="0 1") + first
    assert OFFER.count("\r\n") == OFFER.count("\n")
    further = sdp.offer(
        Credentials("abcdef", "0123456789abcdef01234567"),
        FINGERPRINT,
        [Candidate("192.0.2.1", 5000), Candidate("2001:db8::1", 5000)],
        {"audio": 11, "video": 22, "rtx": 33},
        session_id=42,
        version=2,
        further=[("lin", {"audio": 44, "video": 55, "rtx": 66})],
    )
    more = sections("lin", "sendonly", (2, 3), "", audio=44, video=55, rtx=66)
    level = "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=rtpmap:63 "
    wanted = SESSION.format(mids="0 1 2 3") + (first + more).replace("a=rtpmap:63 ", level)
    assert further.replace("\r\n", "\n") == wanted


@pytest.mark.parametrize(
    ("candidates", "shown"),
    [([Candidate("2001:db8::1", 5000)], "IN IP6 2001:db8::1"), ([], "IN IP4 127.0.0.1")],
)
def test_an_offer_names_its_first_address_or_the_machine_itself(
    candidates: list[Candidate], shown: str
) -> None:
    streams: dict[StreamKind, int] = {"audio": 1, "video": 2, "rtx": 3}
    text = sdp.offer(Credentials("a", "b"), FINGERPRINT, candidates, streams, session_id=1, version=1)
    assert f"o=- 1 1 {shown}\r\n" in text
    assert text.count(f"c={shown}\r\n") == 2


def test_an_answer_says_who_sends_what() -> None:
    answer = sdp.parse_answer(ANSWER.replace("a=sendrecv", "a=recvonly", 1))
    assert answer.ufrag == "abcdef"
    assert dict(answer.sources) == {"audio": 11, "video": 22, "rtx": 33}
    assert answer.sending == {"video"}
    assert not answer.rejected


def test_an_answer_prefers_h264_if_it_names_it_first_and_takes_it_only_in_mode_1() -> None:
    assert not sdp.parse_answer(ANSWER).prefers_h264
    first = ANSWER.replace("SAVPF 96 97 102 103", "SAVPF 102 103 96 97")
    assert sdp.parse_answer(first).prefers_h264
    for wrong in ("packetization-mode=0", "packetization-mode=10", "x=1"):
        answer = sdp.parse_answer(first.replace("packetization-mode=1", wrong))
        assert not answer.prefers_h264
        assert answer.payload_types == {63, 111, 96, 97}


def test_an_offer_names_h264_first_if_it_should() -> None:
    streams: dict[StreamKind, int] = {"audio": 1, "video": 2, "rtx": 3}
    text = sdp.offer(
        Credentials("a", "b"), FINGERPRINT, [], streams, session_id=1, version=1, h264_first=True
    )
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n" in text
    assert "m=video 9 UDP/TLS/RTP/SAVPF 102 103 96 97\r\n" in text


def test_an_answer_says_which_codecs_and_which_mending_it_takes() -> None:
    answer = sdp.parse_answer(ANSWER)
    assert answer.payload_types == {63, 111, 96, 97, 102, 103}
    assert answer.mends == {"audio", "video"}
    plain = ANSWER.replace("SAVPF 63 111", "SAVPF 111").replace("a=rtcp-fb:111 nack\r\n", "")
    answer = sdp.parse_answer(plain)
    assert answer.payload_types == {111, 96, 97, 102, 103}
    assert answer.mends == {"video"}
    silent = sdp.parse_answer(ANSWER.replace("m=audio 9", "m=audio 0"))
    assert silent.payload_types == {96, 97, 102, 103}
    assert silent.mends == {"video"}


@pytest.mark.parametrize(
    ("video", "sends"),
    [("sendrecv", True), ("sendonly", True), ("recvonly", False), ("inactive", False), ("x-unknown", True)],
)
def test_a_party_sends_if_its_direction_says_so_or_none_is_given(video: str, sends: bool) -> None:
    head, _, tail = ANSWER.rpartition("a=sendrecv")
    assert ("video" in sdp.parse_answer(f"{head}a={video}{tail}").sending) is sends


def test_a_direction_and_a_certificate_may_be_given_for_the_whole_session() -> None:
    line = f"a=fingerprint:sha-256 {FINGERPRINT.value}\r\n"
    text = ANSWER.replace("a=sendrecv\r\n", "").replace(line, "")
    answer = sdp.parse_answer(text.replace("t=0 0\r\n", f"t=0 0\r\na=inactive\r\n{line}"))
    assert (answer.sending, answer.fingerprints) == (frozenset(), (FINGERPRINT,))
    both = text.replace("t=0 0\r\n", f"s=inactive\r\nt=0 0\r\na=sendrecv\r\n{line}")
    assert sdp.parse_answer(both).sending == {"audio", "video"}
    silent = both.replace("a=mid:1\r\n", "a=mid:1\r\na=recvonly\r\n")
    assert sdp.parse_answer(silent).sending == {"audio"}, "the direction of a section counts more"


def test_certificates_are_read_in_one_form_and_each_once() -> None:
    lower, longer = "a=fingerprint:SHA-256 " + ":".join(["ab"] * 32), ":".join(["0C"] * 64)
    line = f"a=fingerprint:sha-256 {FINGERPRINT.value}"
    answer = sdp.parse_answer(ANSWER.replace(line, f"{lower} \r\na=fingerprint:sha-512 {longer}"))
    assert answer.fingerprints == (FINGERPRINT, Fingerprint("sha-512", longer))
    medium = ":".join(["0D"] * 48)
    answer = sdp.parse_answer(ANSWER.replace(line, f"a=fingerprint:sha-384 {medium}"))
    assert answer.fingerprints == (Fingerprint("sha-384", medium),)
    eight = [f"a=fingerprint:sha-256 {':'.join([f'{n:02X}'] * 32)}" for n in range(9)]
    assert len(sdp.parse_answer(ANSWER.replace(line, "\r\n".join(eight[:8]))).fingerprints) == 8
    with pytest.raises(SdpError, match="missing"):
        sdp.parse_answer(ANSWER.replace(line, "\r\n".join(eight)))


def test_the_last_name_of_a_section_counts() -> None:
    answer = sdp.parse_answer(ANSWER.replace("a=ice-ufrag:abcdef", "a=ice-ufrag:first\r\na=ice-ufrag:last"))
    assert answer.ufrag == "last"


def test_a_picture_without_a_group_has_its_first_ssrc_and_no_retransmissions() -> None:
    text = ANSWER.replace("a=ssrc-group:FID 22 33\r\n", "")
    assert dict(sdp.parse_answer(text).sources) == {"audio": 11, "video": 22}
    quiet = "\r\n".join(line for line in ANSWER.split("\r\n") if not line.startswith("a=ssrc"))
    assert dict(sdp.parse_answer(quiet).sources) == {}
    largest = ANSWER.replace("11 cname", "4294967295 cname")
    assert dict(sdp.parse_answer(largest).sources) == {"audio": 4294967295, "video": 22, "rtx": 33}
    largest = ANSWER.replace("FID 22 33", "FID 4294967295 33")
    assert dict(sdp.parse_answer(largest).sources) == {"audio": 11, "video": 4294967295, "rtx": 33}
    bare = ANSWER.replace("a=ssrc:11 cname:remote", "a=ssrc:11")
    assert sdp.parse_answer(bare).sources["audio"] == 11


def test_a_group_in_the_sound_is_not_read() -> None:
    text = ANSWER.replace("a=ssrc:11 ", "a=ssrc-group:FID 1 2 3\r\na=ssrc:11 ")
    assert dict(sdp.parse_answer(text).sources) == {"audio": 11, "video": 22, "rtx": 33}


def test_an_answer_may_be_as_long_as_the_bounds_say() -> None:
    assert sdp.parse_answer(ANSWER + "a=" + "x" * (64 * 1024 - len(ANSWER) - 2)).ufrag == "abcdef"
    with pytest.raises(SdpError, match="characters"):
        sdp.parse_answer(ANSWER + "a=" + "x" * (64 * 1024 - len(ANSWER) - 1))
    lines = 1000 - ANSWER.count("\n")
    assert sdp.parse_answer(ANSWER + "a=\r\n" * lines).ufrag == "abcdef"
    with pytest.raises(SdpError, match="lines"):
        sdp.parse_answer(ANSWER + "a=\r\n" * (lines + 1))
    assert sdp.parse_answer(ANSWER.replace("t=0 0", "\r\nt=0 0")).ufrag == "abcdef", "empty lines are skipped"
    eight = "".join(f"a=ssrc:{number} x\r\n" for number in range(100, 107))
    assert sdp.parse_answer(ANSWER.replace("a=ssrc:11 ", eight + "a=ssrc:11 ")).sources["audio"] == 100
    with pytest.raises(SdpError, match="at most 8"):
        sdp.parse_answer(ANSWER.replace("a=ssrc:11 ", eight + "a=ssrc:107 x\r\na=ssrc:11 "))


def test_an_answer_for_several_others_has_their_sections_too() -> None:
    head, sound, picture = (part for part in ANSWER.replace("m=", "\0m=").split("\0"))
    more = sound + picture
    answer = sdp.parse_answer(head + more + more.replace("a=ssrc", "a=x").replace("AB:", "CD:"), others=2)
    assert dict(answer.sources) == {"audio": 11, "video": 22, "rtx": 33}
    assert [found.value[:2] for found in answer.fingerprints] == ["AB", "CD"]
    ignored = sound.replace("a=rtcp-mux", "a=x").replace("a=sendrecv", "a=sendonly") + picture
    assert sdp.parse_answer(head + more + ignored, others=2).sending == {"audio", "video"}
    with pytest.raises(SdpError) as refused:
        sdp.parse_answer(head + more + more.replace("m=video", "m=audio"), others=2)
    assert refused.value.code == "media"


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
        ("codec", "SAVPF 63 111", "SAVPF 63"),
        ("fingerprint", "a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        ("fingerprint", "AB:AB:AB:", "AB:AB:"),
        ("fingerprint", "a=fingerprint", "a=nofingerprint"),
        ("ice", "a=ice-ufrag:abcdef", "a=ice-ufrag:a"),
        ("ice", "a=ice-pwd", "a=nopwd"),
        ("setup", "a=setup:active", "a=setup:passive"),
        ("setup", "a=setup:active", "a=nosetup"),
        ("rtcp-mux", "a=rtcp-mux", "a=nomux"),
        ("bundle", "a=group:BUNDLE", "a=group:LS"),
        ("ssrc", "a=ssrc:11 ", "a=ssrc:4294967296 "),
        ("ssrc", "a=ssrc:11 ", "a=ssrc:22 "),
        ("ssrc", "FID 22 33", "FID 22"),
        ("ssrc", "FID 22 33", "FID 22 33 44"),
        ("ssrc", "FID 22 33", "FID 22 4294967296"),
        ("ssrc", "FID 22 33", "FID 22 00000000033"),
        ("ssrc", "FID 22 33", "FID 22 x"),
        ("ssrc", "FID 22 33", "FID 22 ²"),
        ("codec", "SAVPF 96 97", "SAVPF 97"),
        ("codec", "SAVPF 96 97", "SAVPF 96 98"),
        ("not-sdp", "t=0 0", "tx0 0"),
        ("not-sdp", "t=0 0", "t"),
        ("media", "m=audio 9 ", "m=audio x "),
        ("ice", "a=ice-ufrag:abcdef\r\na=ice-pwd:0123456789abcdef01234567\r\n", "a=ice-pwd:0123\r\n"),
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
    assert str(refused.value) == f"{code}: {refused.value.detail}"
    assert "abcdef" not in str(refused.value)


@pytest.mark.parametrize(
    ("new", "words"), [("SAVPF 102", "lacks VP8, payload type 96"), ("SAVPF 96 98", "not offered")]
)
def test_an_answer_with_h264_alone_names_what_it_lacks(new: str, words: str) -> None:
    with pytest.raises(SdpError, match=words):
        sdp.parse_answer(ANSWER.replace("SAVPF 96 97", new))


def test_sound_and_picture_with_two_names_are_refused() -> None:
    head, _, tail = ANSWER.rpartition("a=ice-ufrag:abcdef")
    with pytest.raises(SdpError) as refused:
        sdp.parse_answer(f"{head}a=ice-ufrag:others{tail}")
    assert refused.value.code == "ice"


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(SdpError) as refused:
        sdp.parse_answer("")
    assert refused.value.code == "not-sdp"
