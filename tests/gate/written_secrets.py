"""Secrets that are written into a DAG file: values that look like one by name, by known form, or by entropy.

Problems name the place and the kind, never the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

if TYPE_CHECKING:
    from collections.abc import Iterator


class FineGrainedGitHubTokenDetector(RegexBasedDetector):
    """The newer form of a personal access token."""

    secret_type = GitHubTokenDetector.secret_type
    denylist = (re.compile(r"github_pat_\w{22,255}", re.ASCII),)


ALLOWED = "pragma: allowlist secret"
ADVICE = f"keep it in a connection and read that in the task, or add '# {ALLOWED}' to its line if it is no secret"
FORMS = (
    AWSKeyDetector(),
    AzureStorageKeyDetector(),
    BasicAuthDetector(),
    FineGrainedGitHubTokenDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    JwtTokenDetector(),
    NpmDetector(),
    OpenAIDetector(),
    PrivateKeyDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    SlackDetector(),
    StripeDetector(),
    TwilioKeyDetector(),
)
PASSWORD = r"(?:passw(?:or)?d|passphrase|(?<=\w)pwd)\d{0,3}"
TOKEN = (
    r"(?:secret|token|credential|authorization|bearer|dsn|connection_?string|webhook_?url"
    r"|(?:api|access|account|auth|client|private|secret|service|signing|encryption)_?key)s?\d{0,3}"
)
PASSWORD_NAME = re.compile(rf"{PASSWORD}$", re.IGNORECASE)
TOKEN_NAME = re.compile(rf"{TOKEN}$", re.IGNORECASE)
ASSIGNED = re.compile(
    rf"""
    (?: (?P<variable> \b[A-Z_]{{0,40}} (?i:{PASSWORD}|{TOKEN}) = )          # PGPASSWORD=…
      | (?P<option> --[\w-]{{0,40}} (?i:{PASSWORD}|{TOKEN}) [ =]            # --token …
                  | \s(?:-u|--user)[ =][^\s:]{{1,100}}: )                   # curl -u name:…
      | (?i:{PASSWORD}|{TOKEN}) ["']? (?: \s{{0,3}}[=:]\s{{0,3}} | \s(?=')) # "api_key": …, PASSWORD '…'
    )
    ["']? (?P<value> [^\s"',;&|]{{4,500}})
    """,
    re.VERBOSE,
)
# A template, a variable, a placeholder, a masked value, a path, an address without a user, a call.
REFERENCE = re.compile(r"[$%:<{*/~]|https?://[^@]*$|[^{(\[]*(?:\{\{|[(\[])")
PLAIN_WORDS = re.compile(r"[a-z]+\d?(?:[ ._-][a-z]+\d?)*", re.IGNORECASE)
IDENTIFIER = re.compile(
    r"(?:^|[_-])(?:ids?|hash|digest|sha\d*|md5|checksum|commit|revision|version|etag)$", re.IGNORECASE
)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
HEX, HEX_WORD = HexHighEntropyString(), re.compile(r"(?<![\w:])(?:[0-9a-f]{32,}|[0-9A-F]{32,})(?!\w)")
BASE64, BASE64_WORD = Base64HighEntropyString(limit=3.8), re.compile(r"[A-Za-z0-9+/_=-]{20,}")
CHANGES = 0.4  # of kind from letter to letter: 0.6 in a random word, 0.3 in a long name


@dataclass(frozen=True)
class Written:
    """A place with a value that looks like a secret; ``line`` is where the file has the value, if it has it."""

    message: str
    line: int | None


def written_secrets(dag: Any, source: str) -> list[Written]:
    """Return each place of a serialized DAG with a value that looks like a secret.

    Args:
        dag: dictionaries, lists and scalars.
        source: the text of the DAG's file. A comment ``pragma: allowlist secret`` in it allows the values on its line,
            as in the scan at each commit.
    """
    lines = source.splitlines()
    found: dict[str, Written] = {}
    for place, name, text in _texts(dag, "", ""):
        for kind, value in _secrets_in(name, text):
            if not any(value in line for line in lines if ALLOWED in line):
                message = f"{place} holds what looks like {kind}"
                at = next((number for number, line in enumerate(lines, 1) if value in line), None)
                found.setdefault(message, Written(message, at))
    return list(found.values())


def _texts(value: Any, place: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the name and the text of each value; the items of a list have its name."""
    if isinstance(value, dict):
        if value.keys() == {"__type", "__var"}:
            yield from _texts(value["__var"], place, name)
        elif isinstance(value.get("name"), str) and isinstance(value.get("value"), str):  # a container's variable
            yield f"{place}.{value['name']}", value["name"], value["value"]
        else:
            prefix = f"task {value['task_id']}: " if "task_id" in value else f"{place}." if place else ""
            for key, item in value.items():
                yield from _texts(item, f"{prefix}{key}", key)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, place, name)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield place, name, str(value)


def _secrets_in(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the value of what looks like a secret in the text."""
    if text and not REFERENCE.match(text):
        if PASSWORD_NAME.search(name):
            yield "a password", text
        elif TOKEN_NAME.search(name) and any(map(str.isalpha, text)) and not PLAIN_WORDS.fullmatch(text):
            yield "a token or key", text
    for match in ASSIGNED.finditer(text):
        value = match["value"]
        is_command = match["variable"] or match["option"]
        if not REFERENCE.match(value) and (is_command or any(map(str.isdigit, value))):
            yield "a password, token or key in a text", value
    for form in FORMS:
        yield from ((f"a secret of the form {form.secret_type}", found) for found in form.analyze_string(text))
    if not IDENTIFIER.search(name):
        yield from (("a random key", word) for word in _random_words(text))


def _random_words(text: str) -> Iterator[str]:
    text = UUID.sub("", text)
    for word in HEX_WORD.findall(text):
        if HEX.calculate_shannon_entropy(word) > HEX.entropy_limit:
            yield word
    for word in BASE64_WORD.findall(text):
        if BASE64.calculate_shannon_entropy(word) > BASE64.entropy_limit and _is_mixed(word):
            yield word


def _is_mixed(word: str) -> bool:
    """Return whether lower case, upper case and digits alternate as often as in a random word."""
    kinds = [(c.islower(), c.isupper()) for c in word if c.isalnum()]
    changes = sum(kind != following for kind, following in pairwise(kinds))
    return changes > CHANGES * len(kinds) and any(map(str.isdigit, word))
