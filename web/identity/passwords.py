"""Recognizes passwords that are easily guessed: common passwords, names of the person, repetitions, sequences.

The rules are OWASP ASVS 5.0 6.2.4 and 6.2.11. The list `passwords.txt` has common passwords and words. A word of
twelve characters or more is recognized only if it is the whole password; a shorter word, of at least four
characters, is recognized in any part of the password. The list was made from the lists of zxcvbn 4.5 (MIT licence, ©
Dropbox). The length is checked in `web.identity.accounts`.
"""

import functools
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from web.languages.i18n import N_
from web.requests.unicode import normalized

LEAST_OWN = 6
"""The least number of characters that must be left after all easily guessed parts are removed."""
# The greatest number of characters that are checked. The characters are counted in the Unicode form NFKC, which may
# turn one character into eighteen.
LONGEST = 256
MOST_BASES = 2
"""A password made of at most this number of common words is weak; a password made of more common words is allowed."""
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
)
ALIKE = str.maketrans("013457@$!|", "oieastasil")
YEAR = re.compile(r"(?:19|20)\d\d")
LIST = Path(__file__).with_name("passwords.txt")


class Weak(StrEnum):
    """The reason why a password is refused, as a sentence."""

    COMMON = N_(
        "This password is one of those that are tried first. Choose another: some words that do not belong together "
        "are good."
    )
    OWN = N_("This password is made of your name, your email address or the clinic. Choose another.")
    SIMPLE = N_("This password only repeats something, or counts up. Choose another.")


@functools.cache
def _known() -> tuple[frozenset[str], tuple[str, ...]]:
    """Return (the words of `passwords.txt` that have twelve characters or more, its shorter words with the longest
    first).
    """
    words = LIST.read_text("utf-8").split()
    short = sorted((word for word in words if len(word) < 12), key=len, reverse=True)
    return frozenset(word for word in words if len(word) >= 12), tuple(short)


def weakness(password: str, own: Iterable[str] = ()) -> Weak | None:
    """Return the reason why a password is easily guessed, or None. `own`: texts about the person that other people
    know.
    """
    text = normalized("NFKC", password).casefold()[:LONGEST]
    long, bases = _known()
    if text in long or text.translate(ALIKE) in long:
        return Weak.COMMON
    block = _repeated(text)
    if (len(block) < len(text) and len(block) < 12) or len(set(text)) < 5:
        return Weak.SIMPLE
    if len(_without_rows(text)) < LEAST_OWN:
        return Weak.SIMPLE
    left = _without_rows(_without(text, _words(own)))
    if len(left) < LEAST_OWN:
        return Weak.OWN
    spelled = left.translate(ALIKE)
    found = [base for base in bases if base in left or base in spelled][:MOST_BASES]
    return Weak.COMMON if len(_without(left, found)) < LEAST_OWN else None


def _words(texts: Iterable[str]) -> list[str]:
    """Return the texts as a whole and their words, the longest first.

    Texts and words of one or two characters are left out.
    """
    found: set[str] = set()
    for text in texts:
        plain = normalized("NFKC", text).casefold()
        parts = re.split(r"[\W_]+", plain)
        found |= {plain, "".join(parts), *(part for part in parts if len(part) >= 3)}
    return sorted((word for word in found if len(word) >= 3), key=len, reverse=True)


def _without(text: str, words: Iterable[str]) -> str:
    for word in words:
        for spelled in (text, text.translate(ALIKE)):
            at = spelled.find(word)
            if at >= 0:
                text = text[:at] + "\n" + text[at + len(word) :]
                break
    return text.replace("\n", "")


def _without_rows(text: str) -> str:
    """Return the text without years and without sequences of three or more characters.

    A sequence is a part of one of `ROWS` (the alphabet, the digits, the rows of keys of keyboards), forward
    or backward, or one character repeated.
    """
    text = YEAR.sub("\n", text)
    kept, at = "", 0
    while at < len(text):
        run = max(_run(text, at, row) for row in (*ROWS, *(row[::-1] for row in ROWS), text[at] * len(text)))
        if run >= 3:
            at += run
        else:
            kept += text[at]
            at += 1
    return kept.replace("\n", "")


def _run(text: str, at: int, row: str) -> int:
    """Return the length of the longest part of the text that begins at index `at` and is also a part of `row`."""
    start, size = row.find(text[at]), 0
    if start < 0:
        return 0
    while at + size < len(text) and start + size < len(row) and text[at + size] == row[start + size]:
        size += 1
    return size


def _repeated(text: str) -> str:
    """Return the shortest block of which the whole text is a repetition; the text itself if there is none."""
    at = (text + text).find(text, 1)
    for size in range(1, len(text) // 2 + 1):
        if (text[:size] * (len(text) // size + 1))[: len(text)] == text:
            return text[:size]
    return text[:at]
