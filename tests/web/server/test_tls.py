"""Tests the certificate that the server makes for itself: the server keeps it while it is valid.

It covers all addresses of this machine, so that phones in the same network can open the server.
"""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509

from web.errors import ConfigError
from web.server import tls
from web.server.tls import local_addresses, self_signed, server_context

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def test_a_self_signed_certificate_covers_every_address_of_this_machine(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, NOW)
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.IPAddress)) == set(local_addresses())
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert found.not_valid_after_utc - NOW <= datetime.timedelta(days=398)
    assert key.stat().st_mode & 0o077 == 0
    assert server_context(str(certificate), str(key)).minimum_version >= 0x0303


def test_a_certificate_that_a_phone_trusts_already_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _ = self_signed(tmp_path, NOW)
    first = certificate.read_bytes()
    self_signed(tmp_path, NOW + datetime.timedelta(days=300))
    assert certificate.read_bytes() == first
    self_signed(tmp_path, NOW + datetime.timedelta(days=395))
    second = certificate.read_bytes()
    assert second != first
    monkeypatch.setattr(tls, "local_addresses", lambda: [ipaddress.ip_address("192.0.2.9")])
    self_signed(tmp_path, NOW + datetime.timedelta(days=396))
    assert certificate.read_bytes() != second


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _ = self_signed(tmp_path, NOW)
    _, key = self_signed(tmp_path / "other", NOW)
    with pytest.raises(ConfigError, match=r"expected a PEM certificate that belongs to tls.key"):
        server_context(str(certificate), str(key))
