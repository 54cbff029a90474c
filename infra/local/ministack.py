"""ministack (S3, DynamoDB, SNS, SQS, CloudWatch) as a part of the stack, from an environment of its own."""

from pathlib import Path

from infra.local.home import PROJECT, Home
from infra.local.parts import HttpReady, Part
from infra.local.ports import HOST
from runtime.errors import ConfigError

NAME = "ministack"
PROGRAM = PROJECT / ".venv-ministack" / "bin" / "ministack"  # apart, because it pins its own botocore


def ministack(home: Home, *, port: int, region: str, program: Path = PROGRAM) -> Part:
    """ministack as a part. Raises ConfigError when it is not installed."""
    if not program.exists():
        raise ConfigError(f"{program} is not there; `make` in the project's folder sets it up")
    folder = home.data_of(NAME)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return Part(
        name=NAME,
        command=(str(program),),
        environ={
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": region,
            "PERSIST_STATE": "1",  # written at SIGTERM only
            "STATE_DIR": str(folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
            "IOT_MTLS_ENABLED": "0",  # it would listen on all interfaces
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(temporary),
        },
        ready=HttpReady(url=f"http://{HOST}:{port}/_ministack/health"),
        cwd=folder,
        url=f"http://{HOST}:{port}",
    )
