"""What cdk-nag would have otherwise, and why it is as it is: a reason each."""

from aws_cdk import Acknowledgment, Validations

from infra.aws.stacks.base import DeploymentStack


def acknowledge(stack: DeploymentStack) -> None:
    """All of a stack's."""
