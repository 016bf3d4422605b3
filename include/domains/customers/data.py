"""The purchases of a day's customers, asked of the sales API, or taken from the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from include.core.cache import code_version
from include.core.sources import rows, upstream
from include.domains.customers import purchases

if TYPE_CHECKING:
    import datetime as dt

    from include.core.cache import Cache, Cached
    from include.core.sources.model import Source
    from include.core.sources.upstream import Login


def get_customer_data(cache: Cache, login: Login, source: Source, day: dt.date, *, refresh: bool = False) -> Cached:
    """Return the purchases of a day, see :func:`include.domains.customers.purchases.purchases_of`.

    Args:
        cache: which the answer is looked up in, and kept in.
        login: connection to the sales API.
        source: contract of the sales.
        day: the source's day.
        refresh: ask the API in any case.

    Raises:
        ConfigurationError: the connection can't be used.
        PermanentUpstreamError: the API refuses.
        TransientUpstreamError: no usable answer for now, and none in the cache.
    """
    api, base = upstream.api_of(login, source, cache.uri)
    inputs = {"base": base, "day": day.isoformat(), "source": json.loads(source.model_dump_json())}
    key = cache.key(inputs, code_version(purchases, rows, upstream))
    return cache.get(
        key,
        lambda: purchases.purchases_of(source, day, upstream.rows_of(api, base, source, day)),
        refresh=refresh,
    )
