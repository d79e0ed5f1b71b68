"""Tests the file that describes a network: its valid content, and the error sentences for invalid content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.peers.errors import PlanError
from web.peers.network.network import Network, Phase, Way
from web.peers.network.reading import parse, read
from web.peers.toml_tables import LARGEST


def test_a_file_is_a_network(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(
        "seed = 7\ntcp = false\n[up]\nloss = 0.05\nrate_kbit = 300\n"
        "[[phases]]\nfrom_s = 3\nto_s = 5.5\nudp = false\n[[phases]]\nfrom_s = 9\nrebind = true\n"
    )
    assert read(path) == Network(
        seed=7,
        tcp=False,
        up=Way(loss=0.05, rate_kbit=300),
        phases=(Phase(3, 5.5, udp=False), Phase(9, rebind=True)),
    )


def test_an_empty_file_is_a_network_without_faults(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text("")
    assert read(path) == Network()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"[up]\nloss = 1.5", "up.loss: expected a share from 0 to 1; found 1.5"),
        (b"[up]\nloss = -0.1", "up.loss: expected a share from 0 to 1; found -0.1"),
        (b"[up]\nloss = nan", "up.loss: expected a share from 0 to 1; found nan"),
        (b"[down]\ndelay_ms = inf", "down.delay_ms: expected milliseconds from 0 to 10000; found "),
        (b'[up]\nloss = "5%"', "up.loss: expected a share from 0 to 1; found 5%"),
        (b"[up]\nlos = 0.1", "up.los: there is no such key; did you mean loss?"),
        (b"[upp]\nloss = 0.1", "upp: there is no such key; did you mean up?"),
        (b"zzz = 1", "zzz: there is no such key; there are seed, udp, tcp, up, down, phases"),
        (b"up = 3", "up: expected a table; found 3"),
        (b"udp = 1", "udp: expected true or false; found 1"),
        (b"seed = -1", "seed: expected a whole number from 0; found -1"),
        (b"seed = 99999999999999999999999", "seed: expected a whole number from 0; found 9999"),
        (b"[[phases]]\nudp = false", "phases[0]: expected from_s, seconds from 0 to 86400"),
        (
            b"[[phases]]\nfrom_s = 1\nto_s = 1e9\nudp = true",
            "phases[0].to_s: expected seconds from 0 to 86400",
        ),
        (b"[[phases]]\nfrom_s = 1\nudp = 0", "phases[0].udp: expected true or false; found 0"),
        (
            b"[[phases]]\nfrom_s = 1\nup.delay = 5",
            "phases[0].up.delay: there is no such key; did you mean delay_ms?",
        ),
        (
            b"[[phases]]\nfrom_s = 2\nto_s = 1\nudp = false",
            "phases[0].to_s: expected a time after from_s (2)",
        ),
        (b"[[phases]]\nfrom_s = 2", "phases[0]: expected at least one of udp, tcp, rebind, up, down"),
        (b"phases = [3]", "phases[0]: expected a table; found 3"),
        (b"phases = 3", "phases: expected at most 1000 phases; found 3"),
        (b"[[phases]]\nfrom_s = 1\nudp = true\n" * 1001, "phases: expected at most 1000 phases"),
        (b"loss", "expected TOML; Expected '=' after a key"),
        (b"\xff", "expected TOML; 'utf-8' codec"),
        (b"a = " + b"9" * 5000, "expected TOML; "),
        (b"a = " + b"[" * 20_000, "expected TOML; "),
        (b"#" * (LARGEST + 1), "expected at most 65536 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_mistake_is_one_sentence_that_names_the_file_the_place_and_what_is_expected(
    text: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "network.toml"
    path.write_bytes(text)
    with pytest.raises(PlanError) as caught:
        read(path)
    said = re.sub(r", line \d+:", ":", str(caught.value), count=1)
    assert said.startswith(f"{path}: {sentence}")
    assert len(str(caught.value)) < 300


KEYS = st.sampled_from(
    [*Network.__struct_fields__, *Phase.__struct_fields__, *Way.__struct_fields__, "loss]", "", "$.up", "`"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_a_file_holds_is_a_network_or_one_sentence(raw: dict[str, object]) -> None:
    try:
        found: object = parse(raw, "file")
    except PlanError as problem:
        found = str(problem)
    assert isinstance(found, Network) or (isinstance(found, str) and found.startswith("file: "))
    assert len(str(found)) < 400 or isinstance(found, Network)
