"""Whether the agent is well, over HTTP on the loopback: for a monitor, or a container's health check."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from producers.agent.report import AgentReport
from runtime.errors import ConfigError

HOST = "127.0.0.1"
PATHS = ("/", "/health")
_TIMEOUT_S = 5.0  # of a client that says nothing


@contextlib.contextmanager
def health_endpoint(port: int, report: Callable[[], AgentReport]) -> Iterator[str]:
    """Serve until the context ends; its URL. 200 when all is well, else 503, both with the report as JSON.

    Raises ConfigError where the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in PATHS:
                self.send_error(404)
                return
            found = report()
            unwell = found.unwell()
            body = msgspec.json.encode({"status": "unwell" if unwell else "well", "unwell": unwell, "agent": found})
            self.send_response(503 if unwell else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Monitors ask every few seconds."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise ConfigError(f"[agent] health_port {port}: cannot listen on it: {error.strerror}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/health"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
