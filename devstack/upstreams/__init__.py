"""Sample upstream APIs: one HTTP server that answers as the real ones do, from recorded data.

``python -m devstack.upstreams --port 8123`` serves Open-Meteo, OpenWeather, the sales, marketing and support sources,
a till system and a job service. ``GET /about`` names the recordings and their licences;
:mod:`devstack.upstreams.client` makes the server misbehave. Everything lives in memory and ends with the process.
"""
