"""Cut what went out of a text that stays: YAML by its indentation, Markdown by its blocks, all else by lines."""

from __future__ import annotations

import re

from devstack.removal.gone import Gone

ITEM = re.compile(r"( *)(?:[-*]|\d+\.) ")


def cut(text: str, suffix: str, gone: Gone) -> str:
    """Return the text of a file with this suffix without what names something that went."""
    if not gone.is_named_in(text):
        return text
    lines = text.splitlines(keepends=True)
    if suffix == ".md":
        return _markdown(lines, gone)
    if suffix in {".yaml", ".yml"}:
        return "".join(_yaml(lines, gone))
    return "".join(line for line in lines if not gone.is_named_in(line))


def _yaml(lines: list[str], gone: Gone) -> list[str]:
    """Cut an entry with all that is indented below it; a field that names what went takes its list's item along."""
    cut: set[int] = set()
    for number, line in enumerate(lines):
        content = line.strip()
        if number in cut or content.startswith("#") or not gone.is_named_in(content.partition(" #")[0]):
            continue
        first = number
        if not content.startswith("- ") and not gone.is_named_in(content.partition(":")[0]):
            above = next((each for each in reversed(range(number)) if _indent(lines[each]) < _indent(line)), number)
            first = above if lines[above].lstrip().startswith("- ") else number
        cut |= set(_entry(lines, first))
    for number in reversed(range(len(lines))):  # a key that has lost every entry goes as well
        entries = {each for each in _entry(lines, number)[1:] if lines[each].strip()}
        if number not in cut and lines[number].rstrip().endswith(":") and entries and entries <= cut:
            cut |= set(_entry(lines, number))
    return [line for number, line in enumerate(lines) if number not in cut]


def _entry(lines: list[str], first: int) -> range:
    """Return the lines of an entry: its first, and those below it that are indented further."""
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


def _markdown(lines: list[str], gone: Gone) -> str:
    """Cut a row, a list's item or a paragraph; a section goes if its heading or what it begins with does."""
    kept: list[str] = []
    section: list[str] | None = None  # its heading, as long as nothing of it was kept or cut
    skipped = 0  # level of the section that goes
    for block in _blocks(lines):
        level = len(block[0]) - len(block[0].lstrip("#")) if block[0].startswith("#") else 0
        if skipped and (not level or level > skipped):
            continue
        skipped = 0
        named = gone.is_named_in("".join(block))
        if level:
            kept += section or []
            section = None if named else block
            skipped = level if named else 0
        elif named and section and section[0].startswith("##") and not block[0].startswith(("|", "- ")):
            skipped, section = len(section[0]) - len(section[0].lstrip("#")), None
        elif not block[0].strip() and section:
            section = [*section, *block]
        elif not named:
            kept += [*(section or []), *block]
            section = None
    kept += section or []
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).rstrip("\n") + "\n"


def _blocks(lines: list[str]) -> list[list[str]]:
    """Split a document into headings, rows, items, blank lines, paragraphs and the lines of code blocks."""
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
