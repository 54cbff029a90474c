"""The shop behind Debian's nginx with the configuration that ships: what a test may visit, and rotate the logs of."""

import http.client
import http.cookiejar
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SHIPPED = Path(__file__).parent / "nginx"
_START_S = 30.0
_LOOK_S = 0.05
_ANSWER_S = 10.0

_FRAME = """
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


class ShopBehindNginx:
    """Both as processes, with `spool` and `logs` in a folder. nginx writes a second log as Apache would."""

    def __init__(self, folder: Path) -> None:
        """Ready on return. Raises TimeoutError."""
        self.spool, self.logs = folder / "spool", folder / "logs"
        self._nginx_folder = folder / "nginx"
        self._port, self._shop_port = _free_port(), _free_port()
        for path in (self.logs, self._nginx_folder):
            path.mkdir()
        self._configure()
        (folder / "none.toml").touch()
        self._shop = subprocess.Popen(
            [sys.executable, "-m", "producers", "storefront", "--settings", str(folder / "none.toml")],
            env={
                **os.environ,
                "STOREPULSE_STOREFRONT_PORT": str(self._shop_port),
                "STOREPULSE_STOREFRONT_SPOOL": str(self.spool),
                "STOREPULSE_STOREFRONT_ACCESS_LOG": str(folder / "shop-access.log"),
            },
            stdout=subprocess.DEVNULL,
        )
        assert NGINX is not None
        self._nginx = subprocess.Popen([NGINX, "-p", str(self._nginx_folder), "-c", "nginx.conf"])
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def get(self, path: str, **headers: str) -> int:
        """Its status. `path` goes as it is, whatever it is. Raises OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S)
        try:
            connection.putrequest("GET", "/", skip_accept_encoding=True)
            connection._buffer[0] = b"GET " + path.encode("latin-1") + b" HTTP/1.1"  # type: ignore[attr-defined]
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value.encode("latin-1"))
            connection.endheaders()
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def rotate(self, number: int) -> None:
        """As logrotate does it with the recipe that ships."""
        for log in self.logs.glob("*.log"):
            log.rename(f"{log}.{number}")
        self._nginx.send_signal(signal.SIGUSR1)

    def lines(self) -> dict[str, list[bytes]]:
        """Of each log, `shop` and `vhost`, oldest first."""
        found: dict[str, list[bytes]] = {}
        for path in sorted(self.logs.iterdir(), key=lambda path: int(path.suffix[1:]) if path.suffix != ".log" else 99):
            found.setdefault(path.name.split(".")[0], []).extend(path.read_bytes().splitlines())
        return found

    def stop(self) -> None:
        """In good order; gone on return."""
        for process in (self._nginx, self._shop):
            process.send_signal(signal.SIGTERM)
        for process in (self._nginx, self._shop):
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
                process.wait()

    def _configure(self) -> None:
        """What ships, with this machine's ports and folders."""
        text = (SHIPPED / "storefront.conf").read_text()
        for shipped, here in (
            ("listen 80;", f"listen 127.0.0.1:{self._port};"),
            ("127.0.0.1:8080", f"127.0.0.1:{self._shop_port}"),
            ("/var/log/nginx", str(self.logs)),
            ("    location / {", f"    access_log {self.logs}/vhost.access.log vhost;\n\n    location / {{"),
        ):
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        (self._nginx_folder / "storefront.conf").write_text(text)
        shutil.copy(SHIPPED / "access_json.conf", self._nginx_folder)
        user = "user root;" if os.getuid() == 0 else ""
        (self._nginx_folder / "nginx.conf").write_text(_FRAME.format(folder=self._nginx_folder, user=user))

    def _await_answer(self) -> None:
        """By the shop's own health: nobody's visit, and in no log of nginx."""
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s:
            try:
                if self.get("/health") == http.HTTPStatus.OK:
                    return
            except OSError:
                pass
            time.sleep(_LOOK_S)
        raise TimeoutError(f"the shop behind nginx does not answer: see {self._nginx_folder}/error.log")


class Visitor:
    """A browser without a screen: keeps cookies, follows redirects."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    @property
    def session(self) -> str:
        """What the shop knows them by. Raises StopIteration before the first answer."""
        return next(cookie.value or "" for cookie in self._cookies if cookie.name == "sid")

    def get(self, path: str) -> str:
        """The page. Raises OSError, also for a status that is an error."""
        with self._opener.open(self._url + path, timeout=_ANSWER_S) as answer:
            return str(answer.read().decode())

    def post(self, path: str, form: Mapping[str, str]) -> str:
        """The page that the answer leads to. Raises as `get`."""
        data = urllib.parse.urlencode(form).encode()
        with self._opener.open(self._url + path, data, timeout=_ANSWER_S) as answer:
            return str(answer.read().decode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
