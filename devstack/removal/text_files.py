"""Cut references to removed names out of a text: YAML by indentation, Markdown by blocks, others by lines."""

from __future__ import annotations

import re

from devstack.removal.gone import Removed

ITEM = re.compile(r"( *)(?:[-*]|\d+\.) ")


def cut(text: str, suffix: str, removed: Removed) -> str:
    """Return the text of a file with this suffix without references to removed names."""
    if not removed.is_named_in(text):
        return text
    lines = text.splitlines(keepends=True)
    if suffix == ".md":
        return _markdown(lines, removed)
    if suffix in {".yaml", ".yml"}:
        return "".join(_yaml(lines, removed))
    return "".join(line for line in lines if not removed.is_named_in(line))


def _yaml(lines: list[str], removed: Removed) -> list[str]:
    """Cut an entry with everything indented below it; for a field that names something removed, its list item."""
    cut: set[int] = set()
    for number, line in enumerate(lines):
        content = line.strip()
        if number in cut or content.startswith("#") or not removed.is_named_in(content.partition(" #")[0]):
            continue
        first = number
        if not content.startswith("- ") and not removed.is_named_in(content.partition(":")[0]):
            above = next((index for index in reversed(range(number)) if _indent(lines[index]) < _indent(line)), number)
            first = above if lines[above].lstrip().startswith("- ") else number
        cut |= set(_entry(lines, first))
    for number in reversed(range(len(lines))):  # a key without remaining entries is cut as well
        entries = {index for index in _entry(lines, number)[1:] if lines[index].strip()}
        if number not in cut and lines[number].rstrip().endswith(":") and entries and entries <= cut:
            cut |= set(_entry(lines, number))
    return [line for number, line in enumerate(lines) if number not in cut]


def _entry(lines: list[str], first: int) -> range:
    """Return the line numbers of an entry: its first line, and those below it that are indented further."""
    last = first
    for number in range(first + 1, len(lines)):
        if lines[number].strip() and _indent(lines[number]) <= _indent(lines[first]):
            break
        if lines[number].strip():
            last = number
    after = last + 1
    blank_before = first > 0 and not lines[first - 1].strip()
    ends_block = after < len(lines) and not lines[after].strip()
    return range(first, after + 1 if blank_before and ends_block else after)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _markdown(lines: list[str], removed: Removed) -> str:
    """Cut a row, a list item or a paragraph; cut a section if its heading or its first block is cut."""
    kept: list[str] = []
    section: list[str] | None = None  # its heading, until a block of it was kept or cut
    skipped = 0  # level of the section that is cut
    for block in _blocks(lines):
        level = len(block[0]) - len(block[0].lstrip("#")) if block[0].startswith("#") else 0
        if skipped and (not level or level > skipped):
            continue
        skipped = 0
        is_named = removed.is_named_in("".join(block))
        if level:
            kept += section or []
            section = None if is_named else block
            skipped = level if is_named else 0
        elif is_named and section and section[0].startswith("##") and not block[0].startswith(("|", "- ")):
            skipped, section = len(section[0]) - len(section[0].lstrip("#")), None
        elif not block[0].strip() and section:
            section = [*section, *block]
        elif not is_named:
            kept += [*(section or []), *block]
            section = None
    kept += section or []
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).rstrip("\n") + "\n"


def _blocks(lines: list[str]) -> list[list[str]]:
    """Split a document into headings, rows, list items, blank lines, paragraphs and the lines of code blocks."""
    blocks: list[list[str]] = []
    code = False
    for line in lines:
        fence = line.lstrip().startswith("```")
        alone = code or fence or not line.strip() or line.startswith(("#", "|")) or bool(ITEM.match(line))
        previous = blocks[-1][-1] if blocks else "\n"
        joins = (
            not alone and previous.strip() and not previous.startswith(("#", "|")) and not previous.startswith("```")
        )
        if joins:
            blocks[-1].append(line)
        else:
            blocks.append([line])
        code ^= fence
    return blocks
