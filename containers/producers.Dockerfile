# What runs beside the shop, one command each: agent, drain, status, storefront, replay, reference.
#
#   docker build --file containers/producers.Dockerfile --tag storepulse-producers .
#   docker run --volume /var/spool/storepulse:/var/spool/storepulse storepulse-producers agent
#
# The agent belongs to the disk that it reads: on a host of the shop, with the host's spool and logs as volumes, or without
# a container under systemd (docs/agent.md).
FROM python:3.11.14-slim-bookworm AS libraries
COPY requirements/uv.txt requirements/producers.txt /build/
RUN python -m pip install --no-cache-dir --require-hashes --requirement /build/uv.txt \
    && uv venv --no-cache --no-python-downloads /opt/storepulse/.venv \
    && uv pip sync --no-cache --require-hashes --compile-bytecode --python /opt/storepulse/.venv/bin/python \
    /build/producers.txt

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --create-home storepulse \
    && install --directory --owner=storepulse /var/spool/storepulse /var/lib/storepulse
WORKDIR /opt/storepulse
COPY --from=libraries /opt/storepulse/.venv .venv
COPY contract contract
COPY runtime runtime
COPY producers producers
ENV PATH=/opt/storepulse/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STOREPULSE_AGENT_SPOOL=/var/spool/storepulse \
    STOREPULSE_AGENT_STATE=/var/lib/storepulse/agent
# All that may be written to where the rest is read-only. ECS gives an empty volume to root alone, unless the image says
# that the folder is one.
VOLUME ["/tmp"]
USER 10001
# Of the agent, where it has a port for it (docs/agent.md); the other commands have none, and are well while they run.
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; \
p = os.environ.get('STOREPULSE_AGENT_HEALTH_PORT'); p and r.urlopen(f'http://127.0.0.1:{p}/health', timeout=5)"]
# The exec form: the command is process 1, and hears SIGTERM itself.
ENTRYPOINT ["python", "-m", "producers"]
CMD ["--help"]
