"""Fetches a day's purchases from the sales API, through the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from include.core.cache import code_version
from include.core.sources import client as source_client
from include.core.sources import links, paging, rows
from include.domains.customers import purchases

if TYPE_CHECKING:
    import datetime as dt

    from include.core.cache import Cache, Cached
    from include.core.sources.client import SourceClient


def get_customer_data(cache: Cache, client: SourceClient, day: dt.date, *, refresh: bool = False) -> Cached:
    """Return the purchases of a day as JSON lines; see :func:`include.domains.customers.purchases.purchases_of`.

    Args:
        cache: cache of the responses.
        client: client of the sales API.
        day: day in the source's time zone.
        refresh: bypass the cache and call the API.

    Raises:
        PermanentUpstreamError: the API rejects the request.
        TransientUpstreamError: no usable response, and none in the cache.
    """
    source = client.source
    inputs = {"base": client.base, "day": day.isoformat(), "source": json.loads(source.model_dump_json())}
    key = cache.key(inputs, code_version(purchases, rows, source_client, paging, links))
    return cache.get(key, lambda: purchases.purchases_of(source, day, client.rows(day)), refresh=refresh)
