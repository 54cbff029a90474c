"""A local Kinesis Data Streams: durable, limits enforced, boto3 talks to it unchanged. See README.md."""
