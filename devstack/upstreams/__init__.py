"""Sample upstream APIs: one HTTP server that mimics the real ones with recorded data.

``python -m devstack.upstreams --port 8123`` serves Open-Meteo, OpenWeather, the sales, marketing and support sources,
a till system and a job service. ``GET /about`` names the recordings and their licences;
:mod:`devstack.upstreams.client` makes the server misbehave. All state is in memory.
"""
