"""How long a fault was felt: from when its end was begun until all that was sold before everything was back is seen."""

from pathlib import Path

from loadtests.proof.sightings import ASKED


def recovered(probes: Path, sightings: Path, *, ended_us: int, back_us: int) -> dict[str, float | None]:
    """By store: seconds from `ended_us` until the last probe that was due by `back_us` was seen; None: one never was.

    `ended_us` is when somebody began to end the fault, or a process was killed; `back_us` when everything ran again.
    What it takes to start again is therefore in it.
    """
    due = {
        key
        for file in probes.glob("*.csv")
        for key, at_us in (line.split(",") for line in file.read_text().splitlines())
        if int(at_us) <= back_us
    }
    seen: dict[str, dict[str, int]] = {store: {} for store in ASKED}
    for line in sightings.read_text().splitlines() if sightings.exists() else []:
        store, key, _, at_us = line.split(",")
        seen[store][key] = int(at_us)
    return {
        store: max([0.0, *((found[key] - ended_us) / 1e6 for key in due)]) if due <= found.keys() else None
        for store, found in seen.items()
    }
