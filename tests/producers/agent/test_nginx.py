"""Debian's nginx in front of the shop, with our configuration, and the agent behind it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers.agent.testing import original_of
from producers.agent.testing_process import (
    ACCESS,
    Kinesis,
    acknowledged,
    finished,
    running_agent,
    settings_file,
    wait_for,
)
from producers.storefront import app

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SHIPPED = Path(app.__file__).parent / "nginx"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light"),
]

FRAME = """
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
{user}
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  log_format vhost '$host:$server_port $http_x_forwarded_for $remote_addr - $remote_user [$time_local] "$request" '
                   '$status $body_bytes_sent "$http_referer" "$http_user_agent"';
  include storefront.conf;
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Web:
    """A shop behind an nginx, with its logs in `logs`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, shop_port = free_port(), free_port()
        self.logs = folder / "logs"
        for path in (self.logs, folder / "nginx"):
            path.mkdir()
        self._configure(shop_port)
        self._shop = subprocess.Popen(
            [sys.executable, "-m", "producers", "storefront"],
            env={
                **os.environ,
                "STOREPULSE_STOREFRONT_PORT": str(shop_port),
                "STOREPULSE_STOREFRONT_SPOOL": str(folder / "shop-spool"),
                "STOREPULSE_STOREFRONT_ACCESS_LOG": str(folder / "shop-access.log"),
                "STOREPULSE_SETTINGS": str(folder / "none.toml"),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._shop.stdout is not None and "shop:" in self._shop.stdout.readline()
        assert NGINX is not None
        self._nginx = subprocess.Popen([NGINX, "-p", str(folder / "nginx"), "-c", "nginx.conf"])
        wait_for(self._answers)

    def _configure(self, shop_port: int) -> None:
        """What is shipped, with this machine's ports and folders, and a second log as Apache would write it."""
        (self.folder / "none.toml").touch()
        text = (SHIPPED / "storefront.conf").read_text()
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{shop_port}").replace("/var/log/nginx", str(self.logs))
        second = f"    access_log {self.logs}/vhost.access.log vhost;\n\n    location / {{"
        text = text.replace("    location / {", second, 1)
        (self.folder / "nginx" / "storefront.conf").write_text(text)
        shutil.copy(SHIPPED / "access_json.conf", self.folder / "nginx")
        user = "user root;" if os.getuid() == 0 else ""
        (self.folder / "nginx" / "nginx.conf").write_text(FRAME.format(folder=self.folder / "nginx", user=user))

    def _answers(self) -> bool:
        try:
            return self.get("/health") == 200
        except OSError:
            return False

    def get(self, path: str, **headers: str) -> int:
        """Its status. `path` goes as it is, whatever it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest("GET", "/", skip_accept_encoding=True)
        connection._buffer[0] = b"GET " + path.encode("latin-1") + b" HTTP/1.1"  # type: ignore[attr-defined]
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value.encode("latin-1"))
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def rotate(self, number: int) -> None:
        """As logrotate does it with our recipe."""
        for log in self.logs.glob("*.log"):
            log.rename(f"{log}.{number}")
        self._nginx.send_signal(signal.SIGUSR1)

    def lines(self) -> dict[str, list[bytes]]:
        """Of each log, oldest first."""
        found: dict[str, list[bytes]] = {}
        for path in sorted(self.logs.iterdir(), key=lambda path: int(path.suffix[1:]) if path.suffix != ".log" else 99):
            found.setdefault(path.name.split(".")[0], []).extend(path.read_bytes().splitlines())
        return found

    def stop(self) -> None:
        for process in (self._nginx, self._shop):
            process.send_signal(signal.SIGTERM)
        for process in (self._nginx, self._shop):
            process.communicate(timeout=20)


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis", shards=1)
    yield running
    running.kill()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    running = Web(tmp_path)
    yield running
    running.stop()


ODD = [
    ("/search?q=caf\xe9", {"User_Agent": "Mozilla/5.0 \xff\xfe"}),
    ("/search?q=%22%5C%0A", {"User_Agent": 'a "quoted" \\ agent', "Referer": "\t"}),
    ("/", {"X_Forwarded_For": "203.0.113.7, 2001:db8::1, unix:", "Cookie": "sid=" + "ab" * 16}),
    ("/" + "x" * 4_000, {}),
    ("/caf\u00e9".encode().decode("latin-1"), {"User_Agent": ""}),
]


def test_every_request_s_line_is_delivered_once_and_in_order_through_rotations(
    tmp_path: Path, kinesis: Kinesis, web: Web
) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint, more=f'access_logs = "{web.logs}/*.log*"\n')
    sent = 0
    with running_agent(settings):
        for rotation in range(4):
            for number in range(60):
                web.get(f"/product/{rotation}-{number}")
                sent += 1
            for path, headers in ODD:
                web.get(path, **headers)
                sent += 1
            web.rotate(rotation + 1)
        wait_for(lambda: acknowledged(tmp_path, "access") == 2 * sent)
    assert finished(settings, "drain")[0] == 0
    written = web.lines()
    assert {name: len(lines) for name, lines in written.items()} == {"shop": sent, "vhost": sent}
    delivered: dict[str, list[bytes]] = {}
    for data in kinesis.lines(ACCESS):
        stamp, line = original_of(data)
        assert line is not None
        delivered.setdefault("shop" if "/shop.access.log" in stamp.h else "vhost", []).append(line)
    assert {name: sorted(lines) for name, lines in delivered.items()} == {n: sorted(ls) for n, ls in written.items()}
    assert_in_order(kinesis)
    beats = {beat.sp.f: beat for beat in kinesis.heartbeats(ACCESS)}
    assert sum(beat.lines for beat in beats.values()) == 2 * sent
    assert_readable(written["shop"])


def assert_in_order(kinesis: Kinesis) -> None:
    """Within a file, on the one shard."""
    last: dict[str, int] = {}
    for data in kinesis.lines(ACCESS):
        stamp, _ = original_of(data)
        assert stamp.o > last.get(stamp.f, -1)
        last[stamp.f] = stamp.o


def assert_readable(lines: list[bytes]) -> None:
    """As JSON, but for those whose request was no UTF-8."""
    events = []
    for line in lines:
        try:
            events.append(json.loads(line.decode()))
        except UnicodeDecodeError:
            assert b"caf\xe9" in line
    assert len(lines) - len(events) == 4
    ids = [event["request_id"] for event in events]
    assert len(set(ids)) == len(ids)
    forwarded = next(event for event in events if event["forwarded_for"])
    assert (forwarded["session"], forwarded["status"], forwarded["address"]) == ("ab" * 16, 200, "127.0.0.1")
    assert forwarded["forwarded_for"] == "203.0.113.7, 2001:db8::1, unix:"
    assert any(event["agent"] == 'a "quoted" \\ agent' for event in events)
