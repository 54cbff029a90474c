"""What cdk-nag would have otherwise, and why it is as it is: a reason each, for the stack named."""

from aws_cdk import Acknowledgment, Validations

from infra.aws.stacks.base import DeploymentStack

_ROTATION = (
    "A password that changes under running processes stops them; it is changed by deploying, and the key of identities"
    " by `python -m consumers identity rotate`."
)
_NO_RESOURCES = "AWS offers no resource for these calls (ecr:GetAuthorizationToken, cloudwatch:PutMetricData under a"
_NO_RESOURCES += " condition on the namespace, ssmmessages, ec2:Describe and Lambda's network interfaces)."
_KEYS = "Objects, tables and limits under a name of ours: theirs are made as they come."


def acknowledge(stack: DeploymentStack) -> None:
    """All of a stack's."""
    part = stack.stack_name.removeprefix(f"storepulse-{stack.profile.name}-")
    for rule, reason in {**_PARTS.get(part, {}), **_named(stack, part)}.items():
        Validations.of(stack).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


_PARTS: dict[str, dict[str, str]] = {
    "network": {"EC23": "A shop is open to the world, by its load balancer alone; hosts have no public address."},
    "data": {
        "SMG4": _ROTATION,
        "KDS3": "Streams hold people's names: a key of our own can be taken from everyone at once.",
        "S1": "The bucket of access logs keeps none about itself.",
    },
    "search": {
        "SMG4": _ROTATION,
        "OS3": "The domain is inside the network; its security group names who may come, and users have roles.",
        "OS5": "Requests bear a user's password over TLS: the client signs none, and fine-grained access is on.",
        "IAM5[Resource::*]": _NO_RESOURCES,
    },
    "warehouse": {"SMG4": _ROTATION},
    "storefront": {
        "IAM5[Resource::*]": _NO_RESOURCES,
        "AS3": "Hosts come and go by design; alarms are of what customers and sales feel (docs/operations.md).",
    },
    "services": {
        "IAM5[Resource::*]": _NO_RESOURCES,
        "ECS2": "Names, addresses and sizes only; whatever is secret comes from Secrets Manager.",
    },
    "analytics": {"IAM5[Resource::*]": _NO_RESOURCES},
    "function": {
        "IAM5[Resource::*]": _NO_RESOURCES,
        "SQS3": "The queue is itself where word of what failed goes; the records are on the stream for seven days.",
    },
    "backup": {"KDF1": "Encryption of its own is for direct puts; a source that is a stream brings its key."},
}


def _named(stack: DeploymentStack, part: str) -> dict[str, str]:
    """Rules that name what they found."""
    place = f"{stack.inputs.region}:{stack.inputs.account}"
    lake, restricted, reference = (
        f"arn:<AWS::Partition>:s3:::{stack.inputs.bucket(holds)}" for holds in ("lake", "restricted", "reference")
    )
    found = {
        "warehouse": [
            f"{lake}/data/*",
            f"{lake}/copy/*",
            f"arn:<AWS::Partition>:redshift-serverless:{place}:*",
        ],
        "storefront": [
            f"arn:<AWS::Partition>:autoscaling:{place}:autoScalingGroup:*:autoScalingGroupName/"
            f"storepulse-{stack.profile.name}-shop"
        ],
        "services": [
            f"{lake}/*",
            f"{restricted}/*",
            f"{restricted}/letters-sent/*",
            f"{reference}/*",
            f"arn:<AWS::Partition>:glue:{place}:table/{stack.resources.database}/*",
        ],
        "analytics": [f"arn:<AWS::Partition>:ec2:{place}:network-interface/*"],
        "function": [f"{reference}/*"],
        "backup": ["<Bucket83908E77.Arn>/*"],
    }
    if stack.inputs.transport == "kafka" and part in ("services", "storefront"):
        name = f"storepulse-{stack.profile.name}"
        found[part] += [
            f"arn:<AWS::Partition>:kafka:{place}:{kind}/{name}/*/storepulse-*" for kind in ("topic", "group")
        ]
    named = {f"IAM5[Resource::{resource}]": _KEYS for resource in found.get(part, ())}
    if part == "search" and not stack.profile.search_masters:
        named["OS4"] = named["OS7"] = "One node, to try things on: prod has masters and zones."
    return named
