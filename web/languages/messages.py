"""Collects the texts of Python, templates and scripts (`make messages`), and updates each language's file.

`python -m web.languages.messages fr` adds a language. The command prints the texts that are not translated
yet.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import write_po

from web.languages import i18n

ROOT = Path(__file__).parents[2]
METHODS: tuple[tuple[str, str], ...] = (
    ("web/**/*.py", "python"),
    ("web/templates/**/*.html", "jinja2.ext:babel_extract"),
    ("web/templates/**/*.txt", "jinja2.ext:babel_extract"),
    ("web/templates/**/*.jinja", "jinja2.ext:babel_extract"),
    ("web/static/**/*.js", "web.languages.messages:scripts"),
)
KEYWORDS: dict[str, Any] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "t": None,
    "tn": (1, 2),
}
IDLE = (
    b'"POT-Creation-Date',
    b'"PO-Revision-Date',
    b'"Generated-By',
    b'"Report-',
    b'"Last-',
    b'"Language-Team',
)
"""Header lines of a .po file that are not written, because they are not needed, or would change at every run."""
STRING = r'("(?:[^"\\\n]|\\.)*"(?:\s*\+\s*"(?:[^"\\\n]|\\.)*")*)'
"""The pattern of a string in a script, or of several strings that are joined by + because a line would be too long."""
CALL = re.compile(rf"(?<![\w.$])(tn?)\(\s*{STRING}(?:\s*,\s*{STRING})?")
HEADER = """\
# One file is one language; the English text is the key. `make messages` keeps it up to date.
"""


def scripts(
    file: IO[bytes], keywords: object, tags: object, options: object
) -> Iterator[tuple[int, str, str | tuple[str, ...], list[str]]]:
    """Yield the texts of a script, in the form that Babel's extraction needs: line, function, texts, comments.

    The texts are those in t("…") and tn("…", "…"), wherever they are in the script, template strings included. Babel
    passes the other arguments too; they are not used.
    """
    source = file.read().decode()
    for call in CALL.finditer(source):
        name, one, many = call.groups()
        line = source.count("\n", 0, call.start()) + 1
        if name == "t":
            yield line, "t", _unescaped(one), []
        elif many is not None:
            yield line, "tn", (_unescaped(one), _unescaped(many)), []


def _unescaped(strings: str) -> str:
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', strings))
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


def template() -> Catalog:
    """Return all texts of the source files, with the places where they are used, without translations."""
    catalogue = Catalog(project="Greenroom", version="1", charset="utf-8", fuzzy=False)
    for pattern, method in METHODS:
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            if "/vendor/" in name:
                continue
            options = {"trimmed": "true", "newstyle_gettext": "true"} if "jinja2" in method else {}
            with path.open("rb") as file:
                for _, text, comments, _ in extract(method, file, KEYWORDS, ("i18n:",), options):
                    catalogue.add(text, locations=[(name, 0)], auto_comments=comments)
    return catalogue


def left(catalogue: Catalog) -> list[str]:
    """Return the English texts that have no translation in `catalogue`, the content of a language's file."""
    return [
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and (message.fuzzy or not all(i18n.forms(message)))
    ]


def update(path: Path, texts: Catalog) -> list[str]:
    """Update the file at `path` with the collected texts, or create it.

    Return the texts that are not translated yet.
    """
    code = path.parent.parent.name
    head = HEADER
    if path.exists():
        catalogue = i18n.read(path)
        head = catalogue.header_comment
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        catalogue = Catalog(locale=Locale.parse(code, sep="-"), project="Greenroom", version="1")
    catalogue.update(texts, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.header_comment, catalogue.fuzzy = head.rstrip(), False
    written = BytesIO()
    write_po(written, catalogue, width=110, sort_output=True, omit_header=False)
    path.write_bytes(
        b"".join(line for line in written.getvalue().splitlines(keepends=True) if not line.startswith(IDLE))
    )
    return left(catalogue)


def main(codes: list[str]) -> None:
    """Update the files of all languages. `codes`: languages to add."""
    texts = template()
    paths = {*i18n.FOLDER.glob(f"*/{i18n.FILE}"), *(i18n.FOLDER / code / i18n.FILE for code in codes)}
    for path in sorted(paths):
        missing = update(path, texts)
        print(f"{path.relative_to(ROOT)}: {len(texts)} texts, {len(missing)} to translate")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
