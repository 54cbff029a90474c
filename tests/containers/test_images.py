"""What each image would hold, without Docker: its folders copied as its Dockerfile says, those libraries alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / "containers").glob("*.Dockerfile"))
LOCAL_FOLDERS = {"infra", "loadtests", "tests", ".venv", ".storepulse", "docs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One Dockerfile, read."""

    group: str
    stages: list[str]  # instructions of each stage, continuation lines joined

    @property
    def last(self) -> str:
        return self.stages[-1]

    @property
    def folders(self) -> dict[str, str]:
        """From the context to the working folder."""
        copied = re.findall(r"^COPY (?!--from)(\S+) (\S+)$", self.last, re.MULTILINE)
        return {source: target.replace("${LAMBDA_TASK_ROOT}/", "") for source, target in copied}


def read(file: Path) -> Image:
    text = re.sub(r"\\\n\s*", "", "".join(line for line in file.open() if not line.lstrip().startswith("#")))
    return Image(group=file.stem, stages=re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:])


IMAGES = {image.group: image for image in map(read, FILES)}


def locked(group: str) -> dict[str, str]:
    """Distributions that the group's lock file installs here, with their versions."""
    lines = (PROJECT / "requirements" / f"{group}.txt").read_text().replace("\\\n", " ").splitlines()
    found = [Requirement(line.split("--hash")[0]) for line in lines if line and line[0].isalpha()]
    return {each.name: str(each.specifier) for each in found if each.marker is None or each.marker.evaluate()}


def left_out() -> list[str]:
    """Globs of .dockerignore that take something out again, as shutil understands them."""
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if (line and line[0] not in "#*!") or line.startswith("**/")]


def copied(image: Image, into: Path) -> None:
    """The folders of `image`, less what .dockerignore names."""
    names = [line.removeprefix("**/") for line in left_out()]
    plain = [name for name in names if "/" not in name]
    paths = [PROJECT / name for name in names if "/" in name]
    by_name = shutil.ignore_patterns(*plain)

    def ignored(folder: str, entries: list[str]) -> set[str]:
        return by_name(folder, entries) | {entry for entry in entries if Path(folder, entry) in paths}

    for source, target in image.folders.items():
        shutil.copytree(PROJECT / source, into / target, ignore=ignored)


def inside(image: Image, folder: Path, **asked: Any) -> dict[str, list[str]]:
    """What inside.py says of the image in `folder`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STOREPULSE_")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("inside.py"))],
        input=json.dumps({"distributions": list(locked(image.group)), "folders": [], "modules": [], **asked}),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("group", ["producers", "consumers", "dashboards"])
def test_every_module_and_command_of_an_image_works_on_its_folders_and_libraries_alone(
    group: str, tmp_path: Path
) -> None:
    image = IMAGES[group]
    copied(image, tmp_path)
    answer = inside(image, tmp_path, folders=[group], entry=group)
    assert answer["failed"] == []
    assert "--help" in answer["ran"]
    assert any(line.endswith("--print-settings") for line in answer["ran"])


def test_the_function_is_there_with_its_own_libraries_alone(tmp_path: Path) -> None:
    image = IMAGES["function"]
    copied(image, tmp_path)
    (handler,) = re.findall(r'^CMD \["(\S+)\.handler"\]$', image.last, re.MULTILINE)
    assert inside(image, tmp_path, modules=[handler], entry="")["failed"] == []


def test_a_folder_or_a_library_that_is_missing_is_found(tmp_path: Path) -> None:
    image = IMAGES["function"]
    copied(image, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "less")
    shutil.rmtree(tmp_path / "less" / "runtime")
    (without_folder, *_) = inside(image, tmp_path / "less", modules=["consumers.lambda_process"], entry="")["failed"]
    assert "'runtime" in without_folder
    (without_library, *_) = inside(image, tmp_path / "whole", modules=["duckdb"], entry="")["failed"]
    assert "duckdb" in without_library


@pytest.mark.parametrize("group", IMAGES)
def test_an_image_is_built_from_its_lock_file_on_a_pinned_base_and_runs_without_rights(group: str) -> None:
    image = IMAGES[group]
    first = image.stages[0]
    assert f"requirements/{group}.txt" in first
    assert first.count("--require-hashes") == 2
    for stage in image.stages:
        assert re.match(r"FROM (python:3\.\d+\.\d+-slim-bookworm|public\.ecr\.aws/lambda/python:3\.1[2-9])\b", stage)
    assert not LOCAL_FOLDERS & {source.partition("/")[0] for source in image.folders}
    assert re.search(r'^CMD \["', image.last, re.MULTILINE), "the exec form hears SIGTERM"
    if group != "function":
        assert re.search(r"^USER 1\d+$", image.last, re.MULTILINE)
        assert f'ENTRYPOINT ["python", "-m", "{group}"]' in image.last
        assert 'VOLUME ["/tmp"]' in image.last, "or a read-only task has nowhere to write"


def test_every_deployable_group_has_an_image() -> None:
    assert set(IMAGES) == {"producers", "consumers", "dashboards", "function"}


@pytest.mark.parametrize("group", IMAGES)
def test_an_image_has_the_versions_that_the_tests_ran_with(group: str) -> None:
    tested = locked("dev")
    assert {name: version for name, version in locked(group).items() if tested.get(name) != version} == {}
