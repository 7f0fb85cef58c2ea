"""Phrases that made readers stumble and must not come back, in everything that a user reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each phrase with what to write instead.
BANNED = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b(is|are|was|were|be) said\b": "say who says it: the report notes, the message lists",
    r"\bstands? (in|on|at|beside|there|under|behind|between|over|twice|more than once|apart)\b": "is",
    r"\bstood (in|on|at|beside|there)\b": "was",
    r"\bunasked\b": "without your permission",
    r"\bgravest\b": "most severe",
    r"\bof which the (truth|bytes|names)\b": "whose, with known",
    r"\bheld against\b": "checked against",
    r"\bmelt(s|ed)? (people|two|them)\b": "merge",
    r"\bin brackets stands?\b": "in brackets",
    # As in "is no image"; "there is no image" is plain.
    r"(?<!there )\b(is|are) no (run folder|image|label|number|date|class|sheet|file|workbook|figure)\b": "not a",
    r"\bfirst drawing\b": "describe what is",
    r"\b(to be|be) had\b": "available",
    r"\bof yours\b": "your own",
    r"\banew\b": "again",
    r"\bcrosswise\b": "cross-fitted",
    r"\bmisfit\b": "nonconformity score",
    r"\bfor who(ever)? has\b": "for readers who have",
    r"\b(seconds?|ms|MB|bytes?|rows?|masks?|epochs?|trainings?|columns?|points?|networks?|models?) an? "
    r"(frame|row|fold|pair|seed|group|source|pixel|epoch|patient|stage|figure|image|member|part)\b": "per",
    r"\b(each|one|two|three) an? (frame|row|file|line|patient|pair|fold|group|source|image|part|class)\b(?! of)": "per",
    r"\bbeware\b": "warning",
    r"\bwhat is not to be\b": "rewrite",
    r"\brooms? (to|of|its|that|which|imports)\b": "package",
    r"\bdealt out\b": "assigned",
    r"\bcalled so\b": "predicted as",
    r"\bis unlike\b": "does not resemble",
    r"\bhow unlike\b": "novelty score",
    r"\bdo(es)? no harm\b": "is harmless",
    r"\b(nothing|anything) of\b(?! the kind)": "nothing about, or rewrite",
    r"\bwhat is no\b": "what is not a",
    r"\bgo(es)? on (with|from|where|behind)\b": "continue",
    r"\bgoing on after\b": "resuming, continuing",
    r"\bwho is told\b": "receives messages",
    r"\bwhat is said\b": "describe it",
    r"\bthan need be\b": "than necessary",
    r"\bputs? before the gate\b": "assessed by the gate",
    r"\bfollows? the class\b": "is associated with the class",
    r"\b(tells?|told) by\b": "recognised by",
}

PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "benchmarks/RESULTS.md"]
TEMPLATES = ["src/sonoproof/**/*.toml", "src/sonoproof/**/*.j2"]


def texts() -> Iterator[tuple[str, str]]:
    """Every text that a user may read, with where it is."""
    for pattern in (*PAGES, *TEMPLATES):
        for path in sorted(ROOT.glob(pattern)):
            for number, paragraph in paragraphs(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(ROOT)}:{number}", paragraph
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A single word may be a key of a file or a column.
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs with the number of their first line: a phrase may be broken over two lines."""
    number = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        yield number, paragraph
        number += paragraph.count("\n")


def stumbles(text: str) -> list[str]:
    """The banned phrases of a text, each with what to write instead; code in backquotes does not count."""
    prose = " ".join(re.sub(r"`+[^`]*`+", "`code`", text).split())
    found = ((re.search(pattern, prose, re.IGNORECASE), better) for pattern, better in BANNED.items())
    return [f"{match.group()!r}: {better}" for match, better in found if match]


def test_what_a_user_reads_is_plain_english() -> None:
    found = [f"{place}: {fault}" for place, text in texts() for fault in stumbles(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "what, where and how to mend it",
        "Exams of both labels are not measured, and that is\nsaid",
        "In brackets stands the interval",
        "Frames stand there more than once",
        "Nothing is downloaded unasked",
        "RUN: is no run folder",
        "two seconds a frame",
        "more than 1 is unlike",
        "stopped; go on with --resume",
        "The column holds what is no number",
        "A model that saw nothing of their group",
    ],
)
def test_a_phrase_that_is_put_back_is_found(text: str) -> None:
    assert stumbles(text)


@pytest.mark.parametrize("text", ["n stands for the rows", "`--mend`", "a frame of a clip", "one row per frame"])
def test_plain_english_is_let_through(text: str) -> None:
    assert not stumbles(text)
