"""The busiest hour of a real export, as a shape."""

from pathlib import Path

import polars as pl

from loadtests.shapes import Shape, from_minutes
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping
from runtime.errors import ConfigError

HOUR = 60  # minutes


def busiest_hour(file: Path, mapping: str) -> Shape:
    """Orders a minute in the sixty minutes that have the most of them. Raises ConfigError for what is no export."""
    export = read_export(file, load_mapping(mapping))
    orders = export.group_by("invoice").agg(pl.col("time").min()).select(pl.col("time").dt.truncate("1m"))
    counted = orders.group_by("time").len().sort("time")
    if not counted.height:
        raise ConfigError(f"{file}: no order in it; choose another export")
    hours = counted.rolling("time", period=f"{HOUR}m", closed="right").agg(pl.col("len").sum())
    last = hours.sort("len").get_column("time")[-1]
    minutes = pl.DataFrame({"time": pl.datetime_range(last - pl.duration(minutes=HOUR - 1), last, "1m", eager=True)})
    filled = minutes.join(counted, on="time", how="left").get_column("len").fill_null(0)
    return from_minutes(filled.to_list())
