"""Tests that the libraries of others in web/static/vendor are exactly the files in their record, each with its hash."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.vendor.refresh import MANIFESTS


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_a_vendored_library_is_exactly_what_its_record_names(manifest: Path) -> None:
    record = json.loads(manifest.read_text("utf-8"))
    folder = manifest.parent
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != manifest
    }
    assert found == record["files"]
    assert "LICENSE" in found
    assert record["license"]
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", record["integrity"])
