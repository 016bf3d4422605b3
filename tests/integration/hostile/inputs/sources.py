"""YAML files of sources, and whether each is valid; each invalid one is a named import error."""

from __future__ import annotations

BASE = """name: NAME
description: A source of the hostile inputs.
owner: me
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /hostile
key: [id]
columns:
  id: {type: integer}
"""


def changed(old: str, new: str) -> str:
    """Return the valid source with a change."""
    assert old in BASE, old
    return BASE.replace(old, new)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

VALID: dict[str, str] = {
    "plain": BASE,
    "markup": changed("A source of the hostile inputs.", "<!channel> <script>alert(1)</script> [x](javascript:1)"),
    "formatted": changed("A source of the hostile inputs.", "A text with {name} {0.__class__} %s %(x)s {{ ds }}"),
    "nested_repeats": changed("{type: integer}", "{type: text, pattern: '(a+)+b'}"),
    "crlf": BASE.replace("\n", "\r\n"),
    "marked": "\ufeff" + BASE,
}

INVALID: dict[str, str | bytes] = {
    "empty": "",
    "nul": changed("me", "m\0e"),
    "not_utf8": BASE.encode() + b"# \xff\xfe\n",
    "utf16": BASE.encode("utf-16"),
    "surrogate": changed("me", '"\\ud800"'),
    "control": changed("me", '"\\x1b[2J"') + "\x07",
    "a_list": "- 1\n",
    "a_text": "just text",
    "two_documents": BASE + "---\n" + BASE,
    "open": changed("[id]", "[id"),
    "tabs": BASE.replace("  ", "\t"),
    "huge_hex": changed("NAME", "0x" + "f" * 5000),
    "huge_integer": changed("/hostile", "1" * 5000),
    "huge_date": changed("2024-01-01", "99999-99-99"),
    "last_date": changed("2024-01-01", "9999-12-31"),
    "a_float": changed("NAME", "1e400"),
    "nan": BASE + "max_bad_share: .nan\n",
    "infinity": BASE + "freshness: .inf\n",
    "sexagesimal": changed('"0 6 * * *"', "190:20:30:15"),
    "python_tag": changed("NAME", "!!python/object/apply:os.system [touch hostile]"),
    "python_name": changed("NAME", "!!python/name:os.system"),
    "binary": changed("me", "!!binary /9j/4AAQ"),
    "own_tag": changed("me", "!secret password"),
    "set_tag": changed("[id]", "!!set {id}"),
    "anchor_bomb": BOMB + BASE,
    "an_anchor_in_itself": changed("[id]", "&a [*a]"),
    "merge": BASE + "<<: {owner: you}\n",
    "a_key_twice": BASE + "owner: you\n",
    "a_list_as_key": BASE + "? [a, b]\n: c\n",
    "deep_lists": BASE + "rules: " + "[" * 3000 + "]" * 3000,
    "deep_objects": BASE + "history: " + "{a: " * 3000 + "}" * 3000,
    "large": BASE + "# " + "x" * 3_000_000,
    "another_name": BASE.replace("NAME", "plain"),
    "a_path_as_name": changed("NAME", "../../etc/passwd"),
    "a_path": changed("/hostile", "/../../etc/passwd"),
    "another_host": changed("/hostile", "//127.0.0.1/x"),
    "a_user": changed("/hostile", "/@127.0.0.1/x"),
    "a_url": changed("/hostile", "http://127.0.0.1/x"),
    "a_query": changed("/hostile", "/x?since={{ conn.canary_default.password }}"),
    "a_connection": BASE + "connection: canary_default\n",
    "the_warehouse": BASE + "connection: postgres_default\n",
    "an_unknown_connection": BASE + "connection: '{{ x }}'\n",
    "a_zone": BASE + "timezone: ../../../etc/passwd\n",
    "an_absolute_zone": BASE + "timezone: /etc/passwd\n",
    "a_cron": changed("0 6 * * *", "99 6 * * *"),
    "a_cron_that_never_fires": changed("0 6 * * *", "0 0 31 2 *"),
    "a_cron_of_random": changed("0 6 * * *", "R R * * *"),
    "a_cron_of_hashes": changed("0 6 * * *", "H H * * *"),
    "a_cron_of_seconds": changed("0 6 * * *", "* * * * * *"),
    "a_long_cron": changed("0 6 * * *", ",".join(["0"] * 5000) + " 6 * * *"),
    "a_folder": changed("path: /hostile", "files: {folder: ../../etc, name: 'x{day}'}"),
    "a_scheme": changed("path: /hostile", "files: {folder: 'simplecache::http://x', name: 'x{day}'}"),
    "a_file_name": changed("path: /hostile", "files: {folder: x, name: '../{day}'}"),
    "stars": changed("path: /hostile", "files: {folder: x, name: '{day}" + "*" * 50 + "'}"),
    "a_format_field": changed("path: /hostile", "files: {folder: x, name: '{day:%s}{0.__class__}'}"),
    "an_encoding": changed("path: /hostile", "files: {folder: x, name: '{day}', encoding: rot13}"),
    "a_back_reference": changed("{type: integer}", "{type: text, pattern: '(a)\\1'}"),
    "a_lookahead": changed("{type: integer}", "{type: text, pattern: '(?=a)a'}"),
    "a_large_repeat": changed("{type: integer}", "{type: text, pattern: '(a{1000}){1000}'}"),
    "code_as_rule": BASE + 'rules: [\'__import__("os").system("touch hostile")\']\n',
    "sql_as_rule": BASE + "rules: ['id >= 0; DROP TABLE x']\n",
    "sql_as_column": changed("  id:", "  'id int); DROP TABLE x; --':"),
    "a_reserved_column": BASE + "  load_id: {type: text}\n",
    "201_columns": BASE + "".join(f"  c{number}: {{type: text}}\n" for number in range(201)),
    "an_unknown_field": BASE + "sql: DROP TABLE x\n",
    "a_boolean": changed("me", "yes"),
    "null": changed("me", "null"),
}
