# What reads the streams and looks after the stores, one command each: live, cold, keeper, and the operators' account,
# letters, status, drain, rewind, identity, migrate.
#
#   docker build --file containers/consumers.Dockerfile --tag storepulse-consumers .
#   docker run --env-file settings.env storepulse-consumers live
FROM python:3.11.14-slim-bookworm AS libraries
COPY requirements/uv.txt requirements/consumers.txt /build/
RUN python -m pip install --no-cache-dir --require-hashes --requirement /build/uv.txt \
    && uv venv --no-cache --no-python-downloads /opt/storepulse/.venv \
    && uv pip sync --no-cache --require-hashes --compile-bytecode --python /opt/storepulse/.venv/bin/python \
    /build/consumers.txt

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --create-home storepulse
WORKDIR /opt/storepulse
COPY --from=libraries /opt/storepulse/.venv .venv
COPY contract contract
COPY runtime runtime
COPY consumers consumers
ENV PATH=/opt/storepulse/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# All that may be written to where the rest is read-only. ECS gives an empty volume to root alone, unless the image says
# that the folder is one.
VOLUME ["/tmp"]
USER 10001
# No health check: a worker that cannot go on ends by itself and is started again, and one that waits for a store that is
# away must not be killed for it. Lag and checkpoint age say how it is (docs/fleet.md).
# The exec form: the command is process 1, and hears SIGTERM itself. A worker settles and releases its shards, mostly within
# seconds; give it 60 before SIGKILL.
ENTRYPOINT ["python", "-m", "consumers"]
CMD ["--help"]
