"""A function that AWS Lambda calls with records of a Kinesis stream: the service reads the shards and checkpoints."""
