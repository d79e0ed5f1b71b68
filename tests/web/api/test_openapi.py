"""Tests the API's description: schemathesis makes many requests, and the app answers each as described."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from tests.web.api.client import Program, program, stranger
from tests.web.site import Site
from web.api.operations import OPERATIONS

CONFIG = """
color = false
# A busy machine may take long to make examples, and to answer.
suppress-health-check = ["too_slow"]
request-timeout = {timeout_s}
[generation]
max-examples = {examples}
deterministic = true
[phases.coverage]
generate-duplicate-query-parameters = false
[checks]
# What a schema cannot say (a date that is none, a phone that nobody has) is refused by the form's own rules.
positive_data_acceptance.expected-statuses = {expected}
"""


async def test_every_operation_is_in_the_description(site: Site) -> None:
    answer = await site.person().get("/demo/api/v1/openapi.json")
    found = await answer.json()
    assert (found["openapi"], found["servers"]) == ("3.1.0", [{"url": "/demo/api/v1"}])
    described = {op["operationId"] for path in found["paths"].values() for op in path.values()}
    assert described == {operation.name for operation in OPERATIONS}


async def tried(
    site: Site, program: Program, folder: Path, expected: str, examples: int, *options: str
) -> str:
    """Run schemathesis with the program's key; return its output. Fails if schemathesis reports a fault.

    `expected`: the statuses, as JSON, with which valid requests may be answered. `examples`: the greatest number of
    requests that are made up for each operation.
    """
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(examples=examples, expected=expected, timeout_s=WAIT_S), "utf-8")
    base = str(site.server.make_url(program.base))
    authorization = program.headers.get("Authorization", "")
    headers = ["--header", f"Authorization: {authorization}"] if authorization else []
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(config), "run", f"{base}/openapi.json", "--url", base),
        *("--seed", "1", "--generation-database", "none", *headers, *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]
    return said.decode()


@pytest.mark.parametrize("examples", [2, pytest.param(8, marks=pytest.mark.long)])
async def test_schemathesis_finds_nothing_that_is_not_as_described(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    for name in ("PER_WINDOW", "WRONG_PER_WINDOW"):
        monkeypatch.setattr(f"web.api.dispatch.{name}", 1_000_000)
    expected = '["2xx", "404", "409", "422"]'
    said = await tried(site, await program(site), tmp_path, expected, examples)
    assert f"Tested: {len(OPERATIONS)}" in said


@pytest.mark.long
async def test_schemathesis_with_a_wrong_key_finds_nothing_either(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.dispatch.WRONG_PER_WINDOW", 1_000_000)
    wrong = stranger(site, "gr_" + "0" * 12 + "_" + "A" * 43)
    said = await tried(site, wrong, tmp_path, '["401"]', 1, "--phases", "examples,fuzzing")
    assert f"401 Unauthorized ({len(OPERATIONS)} operations)" in said
