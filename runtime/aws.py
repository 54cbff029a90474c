"""The only builder of AWS clients."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from runtime.errors import ConfigError
from runtime.settings import Aws


def client(service: str, aws: Aws, *, attempts: int = 3, connections: int = 10, read_timeout_s: float = 20.0) -> Any:
    """A boto3 client for `service` (`kinesis`, `dynamodb`, ...).

    `attempts` 1 for Kinesis data calls: they are retried entry by entry, by the caller. Raises ConfigError for settings
    that no client can be made of.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        connect_timeout=5,
        read_timeout=read_timeout_s,
        # Our own code builds every entry; botocore's look at each one is a third of the cost of a put.
        parameter_validation=service != "kinesis",
    )
    name = "kinesis_endpoint" if service == "kinesis" else "endpoint"
    try:
        return boto3.client(
            service,
            region_name=aws.region,
            endpoint_url=getattr(aws, name) or None,
            aws_access_key_id=aws.access_key_id or None,
            aws_secret_access_key=aws.secret_access_key or None,
            config=config,
        )
    except (ValueError, BotoCoreError) as error:
        raise ConfigError(f"no client for {service}: {error}; see [aws] {name}, region and access_key_id") from error
