"""Output as a page shows it, compared with output as it is: what is measured or drawn by lot may differ.

A shown line must be among the printed ones, word by word. Digits stand for any number (``web-1`` for ``web-12``), a
duration such as ``12s`` for any other, five letters that Kubernetes drew for a name (``web-1-x7rtx``) for any others,
``...`` for anything; a line of ``...`` is left out.
"""

import re
from collections.abc import Sequence

_DURATION = re.compile(r"(\d+(\.\d+)?(ms|[smhd]))+")
_DRAWN = r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b"
_NUMBER = r"\d+(?:\.\d+)*"
_STANDS_FOR = {"drawn": _DRAWN, "number": _NUMBER, "anything": ".*"}
_VARIABLES = re.compile(rf"(?P<drawn>{_DRAWN})|(?P<number>{_NUMBER})|(?P<anything>\.\.\.)")


def missing(shown: Sequence[str], printed: str) -> list[str]:
    """The shown lines that are not among the printed ones."""
    lines = [line.strip() for line in printed.splitlines()]
    return [line for line in shown if line.strip() != "..." and not any(map(_pattern(line).fullmatch, lines))]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(map(_word, line.split())))


def _word(word: str) -> str:
    if _DURATION.fullmatch(word):
        return _DURATION.pattern
    parts, at = [], 0
    for found in _VARIABLES.finditer(word):
        parts += [re.escape(word[at : found.start()]), _STANDS_FOR[str(found.lastgroup)]]
        at = found.end()
    return "".join([*parts, re.escape(word[at:])])
