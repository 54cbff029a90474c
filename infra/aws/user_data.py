"""What a host of the shop does at its first start: pure text, from the files in `shop/` and nginx's own."""

import base64
from collections.abc import Mapping
from pathlib import Path

from infra.aws.images import ROOT

SHOP = Path(__file__).with_name("shop")
NGINX = ROOT / "producers" / "storefront" / "nginx"
HOOK = "drain"
_UNITS = ("storepulse-agent.service", "storepulse-storefront.service", "storepulse-drain.service")


def user_data(*, region: str, group: str, image: str, registry: str, environment: Mapping[str, str]) -> list[str]:
    """Lines of a shell script for Amazon Linux 2023, whose packages come by S3's endpoint.

    `image` by its whole name in `registry`; `environment` of agent and storefront together.
    """
    host = {"REGION": region, "GROUP": group, "HOOK": HOOK, "IMAGE": image}
    files = {"/etc/systemd/system/" + unit: (SHOP / unit).read_text(encoding="utf-8") for unit in _UNITS} | {
        "/opt/storepulse/producers": (SHOP / "producers.sh").read_text(encoding="utf-8"),
        "/opt/storepulse/drain-hook": (SHOP / "drain-hook.sh").read_text(encoding="utf-8"),
        "/etc/nginx/access_json.conf": (NGINX / "access_json.conf").read_text(encoding="utf-8"),
        "/etc/nginx/conf.d/storefront.conf": (NGINX / "storefront.conf").read_text(encoding="utf-8"),
        # Debian's names of users in it are not this system's.
        "/etc/logrotate.d/nginx-shop": (NGINX / "logrotate.conf")
        .read_text(encoding="utf-8")
        .replace("www-data adm", "nginx nginx"),
    }
    return [
        "set -euxo pipefail",
        "dnf install -y nginx docker awscli-2 logrotate",
        "install -d -o 10001 -g 10001 /var/spool/storepulse /var/lib/storepulse /var/log/storepulse",
        "install -d /opt/storepulse /etc/storepulse",
        # What the group may read, the agent may: nginx's own folder is closed to all others.
        "install -d -o nginx -g nginx -m 0750 /var/log/nginx",
        *_settings("/etc/storepulse/host.env", host),
        *_settings("/etc/storepulse/producers.env", environment),
        *(line for path, text in files.items() for line in _file(path, text)),
        "chmod 0755 /opt/storepulse/producers /opt/storepulse/drain-hook",
        # The package's own logrotate file would rotate the same log twice.
        "rm -f /etc/logrotate.d/nginx",
        "systemctl enable --now docker",
        f"aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}",
        f"docker pull {image}",
        "systemctl daemon-reload",
        "systemctl enable --now storepulse-agent storepulse-storefront storepulse-drain nginx logrotate.timer",
    ]


def _settings(path: str, values: Mapping[str, str]) -> list[str]:
    return [f"cat > {path} <<'END'", *(f"{key}={value}" for key, value in values.items()), "END"]


def _file(path: str, text: str) -> list[str]:
    """As base64: user data must not depend on what the shell makes of a configuration's dollars."""
    return [f"base64 -d > {path} <<'END'", base64.b64encode(text.encode()).decode(), "END"]
