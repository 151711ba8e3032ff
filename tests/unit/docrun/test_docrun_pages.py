"""Which commands a page has, where each is executed, and when output is what is shown."""

import pytest

from docrun.blocks import Block, Command, PageError, blocks
from docrun.shown import missing

FENCED = """\
Text.

```sh
# a comment
kubectl get vm   # with a comment
kubectl patch vm web-1 \\
  --type=merge
kubectl apply -f - <<'EOF'
kind: Namespace
EOF

make demo
```
"""


def test_each_line_of_a_plain_block_is_a_command_but_for_comments_and_what_goes_on() -> None:
    (block,) = blocks(FENCED)
    assert block.commands == (
        Command(5, "kubectl get vm   # with a comment"),
        Command(6, "kubectl patch vm web-1 \\\n  --type=merge"),
        Command(8, "kubectl apply -f - <<'EOF'\nkind: Namespace\nEOF"),
        Command(12, "make demo"),
    )


@pytest.mark.parametrize(
    ("page", "first_line"),
    [("```console\n$ a \\\n  b\nshown\n\n$ c\n```\n", 2), ("Text:\n\n    $ a \\\n      b\n    shown\n\n    $ c\n", 3)],
)
def test_what_follows_a_command_after_a_dollar_is_shown_of_its_output(page: str, first_line: int) -> None:
    (block,) = blocks(page)
    assert block.commands == (Command(first_line, "a \\\n  b", ("shown",)), Command(first_line + 4, "c"))


def test_blocks_of_other_languages_are_no_commands() -> None:
    assert blocks("```yaml\nkind: Host\n```\n\n```text\nshown\n```\n") == []


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("block", ["```sh\nhelm ls\n```\n", "    helm ls\n"])
def test_a_mark_before_a_block_says_where_it_is_executed(between: str, block: str) -> None:
    marked = blocks(f"<!-- commands: e2e -->\n{between}{block}")
    assert [(found.where, found.reason) for found in marked] == [("e2e", "")]
    marked = blocks(f"<!-- commands: skip: it takes an hour -->\n{between}{block}")
    assert [(found.where, found.reason) for found in marked] == [("skip", "it takes an hour")]


def test_an_unmarked_block_is_executed() -> None:
    assert blocks("    a\n\n<!-- another comment -->\n\n```sh\nb\n```\n") == [
        Block(1, "here", "", (Command(1, "a"),)),
        Block(5, "here", "", (Command(6, "b"),)),
    ]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("Text.\n\n```\nls\n```\n", "line 3: a fence without a language: ```sh"),
        ("```console\nshown\n$ ls\n```\n", "line 2: what is shown begins with the command"),
        ("<!-- commands: skip -->\n    ls\n", "is none: `commands: e2e` or"),
        ("<!-- commands: e2e: why -->\n    ls\n", "is none"),
        ("<!-- commands: never -->\n    ls\n", "the mark <!-- commands: never --> is none"),
        ("<!-- commands: e2e -->\n\nText.\n\n    ls\n", "line 1: a mark stands right before its block"),
        ("<!-- commands: e2e -->\n```yaml\na: 1\n```\n", "line 2: a mark before a block that has no commands"),
    ],
)
def test_what_may_be_commands_or_not_is_refused(page: str, told: str) -> None:
    with pytest.raises(PageError, match=told):
        blocks(page)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("NAME    STATUS   AGE", "NAME  STATUS  AGE"),
        ("web-1   Running   10.10.0.2   12s", "api-1  Running  10.10.0.3  4s\nweb-11  Running  10.20.0.117  1m2s"),
        ("  2 of 4 hosts, 4.3 s", "0 of 24 hosts, 12 s"),
        ("web-1-pmgv4 created", "web-12-x7rtx created"),
        ("web-... created", "web-front created"),
        ("all ... well", "all of 6 are well"),
        ("...", ""),
        ("(a+b) [c]", "(a+b) [c]"),
    ],
)
def test_output_is_as_shown_but_for_numbers_blanks_and_what_is_left_out(shown: str, printed: str) -> None:
    assert missing([shown], printed) == []


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("NAME STATUS", "NAME STATUS AGE"),
        ("web-1 Running", "web-1 Paused"),
        ("web-1 Running", "web-x Running"),
        ("web-front", "web-x7rtx"),
        ("3 hosts", "hosts"),
        ("a.b", "a+b"),
        ("all well", "all\nwell"),
    ],
)
def test_other_words_are_not_as_shown(shown: str, printed: str) -> None:
    assert missing([shown, "..."], printed) == [shown]
