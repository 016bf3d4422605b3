# A Debian package under the name of an image that a machine without a registry can't pull.
FROM debian:trixie-slim
ARG PACKAGE
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget "$PACKAGE" \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s "$(command -v "$PACKAGE")" /usr/local/bin/entrypoint \
    && install -d -o 65534 /alertmanager
USER 65534
ENTRYPOINT ["entrypoint"]
