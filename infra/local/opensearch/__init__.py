"""A stock OpenSearch node, put together from its published jars and run on a Java that comes as a Python package."""
