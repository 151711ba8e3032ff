"""The commands of a page, in order, from its Markdown.

A block of commands is fenced as ``sh`` or ``console``, or indented. In a ``console`` block, and in an indented one that
begins with ``$``, commands follow ``$`` and the lines after them are what is shown of their output. A comment before
the block says where it is executed, if not in the first shell that comes:

    <!-- commands: e2e -->             on a cluster that has nodes
    <!-- commands: skip: a reason -->  nowhere
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from markdown_it import MarkdownIt
from markdown_it.token import Token

Where = Literal["here", "e2e", "skip"]

_PLAIN = frozenset(("sh", "bash", "shell"))
_CONSOLE = "console"
_MARK = re.compile(r"<!--\s*commands:\s*(?P<where>\w+)(?::\s*(?P<reason>.+?))?\s*-->")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)")


class PageError(ValueError):
    """A block that cannot be told to be commands or not; the message has its line and the mend."""


@dataclass(frozen=True)
class Command:
    """One command; ``line`` counts from 1."""

    line: int
    text: str
    shown: tuple[str, ...] = ()
    """Lines that the page shows of its output; none where it shows nothing."""


@dataclass(frozen=True)
class Block:
    """One block and where it is executed; ``reason`` is why nowhere."""

    line: int
    where: Where
    reason: str
    commands: tuple[Command, ...]


def blocks(markdown: str) -> list[Block]:
    """Every block of commands of a page. Raises PageError for what is neither commands nor plainly something else."""
    return list(_blocks(MarkdownIt("commonmark").parse(markdown)))


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    before: Token | None = None
    for token in tokens:
        if token.type in ("fence", "code_block"):
            line = _line(token)
            where, reason = _mark(before)
            if commands := tuple(_commands(token, line)):
                yield Block(line, where, reason, commands)
            elif where != "here":
                raise PageError(f"line {line}: a mark before a block that has no commands: remove it")
        elif before is not None and _MARK.search(before.content):
            raise PageError(f"line {_line(before)}: a mark stands right before its block")
        before = token if token.type == "html_block" else None


def _line(token: Token) -> int:
    """The first line of a block, from 1; that of its fence for a fenced one."""
    return (token.map or [0])[0] + 1


def _mark(before: Token | None) -> tuple[Where, str]:
    told = _MARK.search(before.content) if before is not None else None
    if told is None:
        return "here", ""
    where, reason = told["where"], told["reason"] or ""
    if where not in get_args(Where) or (where == "skip") != bool(reason):
        raise PageError(f"the mark {told[0]} is none: `commands: e2e` or `commands: skip: REASON`")
    return where, reason  # type: ignore[return-value]  # one of Where, as just seen


def _commands(token: Token, line: int) -> Iterator[Command]:
    language = token.info.partition(" ")[0]
    if token.type == "fence" and not language:
        raise PageError(f"line {line}: a fence without a language: ```sh for commands, ```text for none")
    lines = token.content.splitlines()
    if language == _CONSOLE or (token.type == "code_block" and lines[0].startswith("$ ")):
        return _console(lines, line + len(language[:1]))
    if language in _PLAIN or token.type == "code_block":
        return _plain(lines, line + len(language[:1]))
    return iter(())


def _plain(lines: list[str], line: int) -> Iterator[Command]:
    """Each line a command, but for empty ones, comments, and the rest of one that goes on."""
    at = 0
    while at < len(lines):
        end = _end(lines, at)
        if lines[at].strip() and not lines[at].startswith("#"):
            yield Command(line + at, "\n".join(lines[at:end]))
        at = end


def _console(lines: list[str], line: int) -> Iterator[Command]:
    starts = [at for at, text in enumerate(lines) if text.startswith("$ ")]
    if not starts or starts[0]:
        raise PageError(f"line {line}: what is shown begins with the command: `$ ...`")
    for at, following in zip(starts, [*starts[1:], len(lines)], strict=True):
        end = _end(lines, at)
        shown = tuple(text for text in lines[end:following] if text.strip())
        yield Command(line + at, "\n".join(lines[at:end]).removeprefix("$ "), shown)


def _end(lines: list[str], start: int) -> int:
    """The index after the last line of the command that begins at ``start``."""
    if heredoc := _HEREDOC.search(lines[start]):
        return lines.index(heredoc[1], start) + 1
    end = start
    while lines[end].endswith("\\"):
        end += 1
    return end + 1
