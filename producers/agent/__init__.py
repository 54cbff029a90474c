"""The agent: takes complete lines from the spool to the stream, and forgets none."""
