"""The model server's JSON is UTF-8, whatever its header says."""

from __future__ import annotations

import pytest

from include.core.ml.errors import ServingError
from include.core.ml.serving.client import ModelServer
from include.domains.titanic.traffic import SPEC
from tests.integration.http.answers import answering

BODY = '{"name": "Café Zürich"}'


def test_a_model_servers_json_is_utf_8() -> None:
    with answering(BODY.encode(), content_type="text/plain; charset=latin-1") as url:
        assert ModelServer(url, SPEC).health() == {"name": "Café Zürich"}
    with (
        answering(BODY.encode("latin-1")) as url,
        pytest.raises(ServingError, match="isn't UTF-8: byte 0xe9"),
    ):
        ModelServer(url, SPEC).health()
