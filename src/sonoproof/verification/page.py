"""What the report prints, text by text, in its order: of the page, of its drawings, and what is read aloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser

# The heading and the provenance say when and by which command; they are facts of the manifest, which holds the page's
# hash and changes after the page is written.
_LEFT_OUT_SECTION = "provenance"
_LEFT_OUT_TAGS = frozenset({"style", "header", "head"})
_VOID_TAGS = frozenset({"meta", "img", "br", "hr", "link", "input", "wbr"})


def page_texts(page: str) -> Iterator[tuple[str, str]]:
    """Every text of a report with its place, the section and a number.

    Args:
        page: The report as HTML.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    numbers: Counter[str] = Counter()
    for section, text in reader.texts:
        numbers[section] += 1
        yield f"{section}, text {numbers[section]}", text


class _Reader(HTMLParser):
    """Collects the texts; state: the elements that are open, and the section they are in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[tuple[str, str]] = []
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in _VOID_TAGS:
            self._open.append((tag, values.get("id") or ""))
        for name in ("alt", "aria-label"):
            self._keep(values.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        while any(name == tag for name, _ in self._open):
            name, _ = self._open.pop()
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        self._keep(data)

    def _keep(self, data: str) -> None:
        text = " ".join(data.split())
        sections = [identifier for tag, identifier in self._open if tag == "section"]
        left_out = _LEFT_OUT_SECTION in sections or any(tag in _LEFT_OUT_TAGS for tag, _ in self._open)
        if text and not left_out:
            self.texts.append((sections[-1] if sections else "page", text))
