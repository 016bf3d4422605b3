"""An HttpSensor that respects its poke interval while deferred.

After any error other than 404, the provider's trigger (6.3.0) retries immediately and endlessly, and so floods a server
that is down: https://github.com/apache/airflow/issues/69903
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.http.triggers.http import HttpSensorTrigger
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import TriggerEvent
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PacedHttpTrigger(HttpSensorTrigger):
    """Fires when a request succeeds; waits ``poke_interval`` seconds after any error."""

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        _, arguments = super().serialize()
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = self._get_async_hook()
        while True:
            try:
                async with aiohttp.ClientSession() as session:
                    response = await hook.run(
                        session=session,
                        endpoint=self.endpoint,
                        data=self.data,
                        headers=self.headers,
                        extra_options=self.extra_options,
                    )
                    response.release()
            except (AirflowException, aiohttp.ClientError, TimeoutError) as error:
                self.log.info("not successful yet, retrying in %g s: %s", self.poke_interval, error)
            else:
                yield TriggerEvent(True)
                return
            await asyncio.sleep(self.poke_interval)


class PacedHttpSensor(HttpSensor):
    """Waits without a worker until a request succeeds; takes the arguments of ``HttpSensor``.

    The first request is sent by a worker: an error status outside ``response_error_codes_allowlist`` fails the task.
    Further requests are sent every ``poke_interval`` seconds until ``timeout``.
    """

    @override
    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        super().defer(trigger=PacedHttpTrigger(**trigger.serialize()[1]), **kwargs)
