"""Old exports sent again: a shop's CSV or Parquet becomes spool lines, one order a line."""
