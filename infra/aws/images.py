"""Container images from the repository's own Dockerfiles. A synthesis hashes what they copy; docker builds later."""

from functools import cache
from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as assets
from constructs import Construct

ROOT = Path(__file__).parents[2]
GROUPS = ("producers", "consumers", "dashboards", "function")
# All but what the Dockerfiles copy: an environment or a data folder would take minutes to hash.
_COPIED = ("contract", "runtime", "producers", "consumers", "dashboards", "requirements", "containers")
_NEVER = ("**/__pycache__", "**/node_modules", "**/testing.py", "**/*.pyc")


def image(scope: Construct, group: str) -> assets.DockerImageAsset:
    """The image of a group, once a stack."""
    return assets.DockerImageAsset(
        scope,
        f"Image{group.title()}",
        directory=str(ROOT),
        file=f"containers/{group}.Dockerfile",
        platform=assets.Platform.LINUX_AMD64,
        exclude=["*", *(f"!{name}" for name in _COPIED), *_NEVER],
        ignore_mode=IgnoreMode.DOCKER,
    )


@cache
def missing_dockerfiles() -> tuple[str, ...]:
    """Groups without a Dockerfile."""
    return tuple(group for group in GROUPS if not (ROOT / "containers" / f"{group}.Dockerfile").exists())
