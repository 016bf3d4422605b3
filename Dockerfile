# Targets: `runtime` reads its DAGs from a mounted folder; `production` includes them. `spark` and `spark-production`
# are the same with Java and Spark, 700 MB more that only the workers of Spark's DAGs need.

# dbt has its own environment, since it conflicts with Airflow's version of protobuf.
FROM apache/airflow:3.3.2-python3.13 AS dbt
USER 0
RUN --mount=type=cache,target=/tmp/.cache/uv \
    --mount=type=bind,source=requirements/dbt.txt,target=/tmp/dbt.txt \
    uv venv /opt/dbt && \
    UV_CACHE_DIR=/tmp/.cache/uv UV_LINK_MODE=copy \
    uv pip sync --python /opt/dbt/bin/python --compile-bytecode --require-hashes /tmp/dbt.txt
USER 50000

FROM apache/airflow:3.3.2-python3.13 AS runtime
SHELL ["/bin/bash", "-o", "pipefail", "-e", "-u", "-c"]

# Volumes inherit their owner from these folders when created.
USER 0
# folders: written by `make fix`
RUN install -d -o airflow -g 0 -m 0775 /opt/airflow/{logs,storage,state} /run/secrets/{\
fernet-key,jwt-secret,api-secret-key,admin-password,postgres-password,warehouse-password,metadata-password,\
loader-password,model-server-password,results-password,mlflow-password,mlflow-pipeline-password,\
mlflow-reader-password,reader-password,monitor-password,redis-password,flower-password,grafana-password,\
demo-key,slack-webhook}
# end of folders

# Exactly the locked packages that the tests ran with; removes all others of the base image.
USER 50000
RUN --mount=type=cache,target=/tmp/.cache/uv,uid=50000,gid=0 \
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    UV_LINK_MODE=copy uv pip sync --compile-bytecode --require-hashes /tmp/requirements.txt

COPY --from=dbt /opt/dbt /opt/dbt
ENV SPELLBOOK_DBT=/opt/dbt/bin/dbt

ENV PYTHONPATH=/opt/airflow:/opt/airflow/plugins
COPY --chown=airflow:0 airflow.cfg pyproject.toml /opt/airflow/
COPY --chown=airflow:0 deploy/__init__.py /opt/airflow/deploy/
COPY --chown=airflow:0 deploy/compose /opt/airflow/deploy/compose
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 include /opt/airflow/include
RUN python -m compileall -q deploy include plugins

FROM runtime AS spark
USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends default-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o airflow -g 0 -m 0775 /opt/spark
USER 50000
RUN --mount=type=cache,target=/tmp/.cache/uv,uid=50000,gid=0 \
    --mount=type=bind,source=requirements/spark.txt,target=/tmp/spark.txt \
    python -m venv --without-pip /opt/spark/venv \
    && UV_LINK_MODE=copy uv pip sync --python /opt/spark/venv/bin/python --require-hashes /tmp/spark.txt \
    && ln -s /opt/spark/venv/lib/python3.*/site-packages/pyspark /opt/spark/home
ENV SPARK_HOME=/opt/spark/home PYSPARK_PYTHON=/opt/spark/venv/bin/python PATH="${PATH}:/opt/spark/home/bin"

FROM spark AS spark-production
COPY --chown=airflow:0 dags /opt/airflow/dags

FROM runtime AS production
COPY --chown=airflow:0 dags /opt/airflow/dags
