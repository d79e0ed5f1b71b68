"""Tests the table of the codecs that the server offers.

A change of any row would change the negotiation with every browser.
"""

from media.protocols.codecs import (
    BY_PAYLOAD_TYPE,
    BY_STREAM,
    CODECS,
    EXTENSIONS,
    GROUP_EXTENSIONS,
    H264,
    H264_RTX,
    H264_TYPES,
    KINDS,
    OPUS,
    RED,
    REPEATED_BY,
    RTX_OF,
    START_KBPS,
    STREAM_KINDS,
    TRANSPORT_CC_ID,
    TYPES,
    VP8,
    VP8_RTX,
    Codec,
)


def test_sound_and_picture_have_the_numbers_that_browsers_know() -> None:
    assert [(codec.payload_type, codec.stream, codec.media, codec.rtpmap) for codec in CODECS] == [
        (63, "audio", "audio", "red/48000/2"),
        (111, "audio", "audio", "opus/48000/2"),
        (96, "video", "video", "VP8/90000"),
        (97, "rtx", "video", "rtx/90000"),
        (102, "video", "video", "H264/90000"),
        (103, "rtx", "video", "rtx/90000"),
    ]
    assert (OPUS.parameters, VP8_RTX.parameters) == ("minptime=10;useinbandfec=1;usedtx=1", "apt=96")
    assert RED.parameters == "111/111"
    assert (VP8.parameters, START_KBPS) == ("x-google-start-bitrate=1000", 1000)
    assert H264.parameters.startswith(
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;"
    )
    assert H264_RTX.parameters == "apt=102"
    assert [codec.feedback for codec in CODECS] == [
        (),
        ("nack", "transport-cc"),
        ("nack", "nack pli", "ccm fir", "transport-cc"),
        (),
        ("nack", "nack pli", "ccm fir", "transport-cc"),
        (),
    ]


def test_a_codec_is_found_by_its_number_and_by_its_stream() -> None:
    assert BY_PAYLOAD_TYPE == {63: RED, 111: OPUS, 96: VP8, 97: VP8_RTX, 102: H264, 103: H264_RTX}
    assert BY_STREAM == {"audio": OPUS, "video": VP8, "rtx": VP8_RTX}
    assert dict(TYPES) == {"audio": {63, 111}, "video": {96, 102}, "rtx": {97, 103}}
    assert dict(RTX_OF) == {96: 97, 102: 103}
    assert dict(REPEATED_BY) == {97: 96, 103: 102}
    assert sorted(H264_TYPES) == [102, 103]
    assert (KINDS, STREAM_KINDS) == (("audio", "video"), ("audio", "video", "rtx"))


def test_the_rtpmap_of_a_codec_does_not_name_a_single_channel() -> None:
    assert Codec(8, "audio", "PCMA", 8000).rtpmap == "PCMA/8000"


def test_the_header_extensions_are_send_time_and_transport_wide_numbers() -> None:
    assert EXTENSIONS == {
        2: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        3: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    }
    assert TRANSPORT_CC_ID == 3
    assert GROUP_EXTENSIONS == {1: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}
