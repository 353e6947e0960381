# The one image of order-entry: web by default, `python manage.py consume_orders` and the other commands likewise.
#   docker build --build-arg COMMIT="$(git rev-parse HEAD)" -t order-entry .
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS packages
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.lock requirements-amqp10.lock ./
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install --require-hashes -r requirements.lock
# For IBM MQ, --build-arg AMQP10=1: python-qpid-proton, which is compiled. The compiler stays in this stage.
ARG AMQP10=
# Debian's archive keeps one version of each, and none of them reaches the image.
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/root/.cache/pip if [ -n "$AMQP10" ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends gcc libc6-dev \
        && rm -rf /var/lib/apt/lists/* \
        && /opt/venv/bin/pip install --require-hashes -r requirements-amqp10.lock; \
    fi

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin order-entry
WORKDIR /opt/order-entry
COPY --from=packages /opt/venv /opt/venv
COPY manage.py ./
COPY orders orders
COPY routing routing
COPY consumers consumers
COPY order_entry_project order_entry_project
ARG COMMIT=unknown
# Byte code is written now: the file system is meant to be read-only, but for a tmpfs at /tmp.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORDER_ENTRY_COMMIT=$COMMIT
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8081 9108
# Of the web process; a consumer is asked at its telemetry.metrics_port instead, as compose.yaml does.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import Request as R, urlopen as o; o(R('http://127.0.0.1:8081/health/live', headers={'Host': 'order-entry'}), timeout=4)"]
CMD ["gunicorn", "-c", "order_entry_project/gunicorn.conf.py"]
