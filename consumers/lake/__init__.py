"""The lake: Iceberg tables over cold's Parquet in a Glue catalogue, for Athena, DuckDB, or any other engine."""
