"""One shard at a time, as AWS's MultiLangDaemon (the Java KCL) hands it to a process of its own."""
