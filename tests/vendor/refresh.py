"""Fetches the browser libraries of each `vendor.json` from npm again; with NAME VERSION, changes one to that version.

Fetches a package, compares it with the recorded integrity, and copies the recorded files unchanged. `make vendor` runs
it; the tests only compare the committed files with `vendor.json`.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = (
    ROOT / "web/static/vendor/lit-html/vendor.json",
    ROOT / "tests/vendor/axe-core/vendor.json",
)


def fetch(package: str, version: str, folder: Path) -> Path:
    """Fetch a package by npm into `folder`; return the path of its archive."""
    subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, timeout=120)
    return next(folder.glob("*.tgz"))


def refresh(manifest: Path, move_to: str | None) -> None:
    """Write the files that `manifest` names. Raises SystemExit if npm has another package than recorded. `move_to`: the
    new version; None keeps the recorded one.
    """
    record: dict[str, Any] = json.loads(manifest.read_text("utf-8"))
    version = move_to or record["version"]
    with tempfile.TemporaryDirectory() as folder:
        archive = fetch(record["package"], version, Path(folder))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        integrity = f"sha512-{digest}"
        if not move_to and integrity != record["integrity"]:
            raise SystemExit(
                f"{record['package']} {version}: npm delivers another package than {manifest} records"
            )
        with tarfile.open(archive) as content:
            for name in record["files"]:
                member = content.extractfile(f"package/{name}")
                assert member, name
                target = manifest.parent / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(member.read())
                record["files"][name] = hashlib.sha256(target.read_bytes()).hexdigest()
    record |= {"version": version, "integrity": integrity}
    manifest.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(f"{record['package']} {version}: {len(record['files'])} files")


def main(arguments: list[str]) -> None:
    """Refresh every manifest; with the arguments NAME and VERSION, only change that library to that version."""
    for manifest in MANIFESTS:
        if not arguments:
            refresh(manifest, None)
        elif manifest.parent.name == arguments[0]:
            refresh(manifest, arguments[1])


if __name__ == "__main__":
    main(sys.argv[1:])
