"""Tests that an offer that is changed for a proxy contains only the address of the proxy."""

from __future__ import annotations

import pytest

from web.peers.network.offers import led_through, server_of

OFFER = (
    "v=0\r\nm=audio 9\r\na=candidate:1 1 udp 2130706431 192.0.2.7 4000 typ host\r\n"
    "a=candidate:2 1 udp 2130706175 2001:db8::7 4000 typ host\r\n"
    "a=candidate:3 1 tcp 1694498815 192.0.2.7 4000 typ host tcptype passive\r\na=end-of-candidates\r\n"
    "m=video 9\r\na=candidate:1 1 udp 2130706431 192.0.2.7 4000 typ host\r\na=mid:1\r\n"
)


def test_every_candidate_leads_through_the_proxy_once_in_each_section() -> None:
    assert led_through(OFFER, "127.0.0.1", 9) == (
        "v=0\r\nm=audio 9\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
        "a=candidate:3 1 tcp 1694498815 127.0.0.1 9 typ host tcptype passive\r\na=end-of-candidates\r\n"
        "m=video 9\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=mid:1\r\n"
    )


def test_the_server_of_an_offer_is_its_first_candidate() -> None:
    assert server_of(OFFER) == ("192.0.2.7", 4000)
    with pytest.raises(ValueError, match="no candidate"):
        server_of("v=0\r\n")
    with pytest.raises(ValueError, match=r"4cac\.local"):
        server_of(OFFER.replace("192.0.2.7", "4cac.local"))
