"""Rows in objects of S3: read by COPY, written by UNLOAD."""
