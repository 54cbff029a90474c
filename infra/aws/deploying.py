"""The pinned CDK CLI on a synthesised application: a diff, and a deployment that says where it stopped."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.aws.images import ROOT, missing_dockerfiles
from infra.aws.preflight import Finding
from runtime.errors import ConfigError

HERE = Path(__file__).parent
CLI = HERE / "node_modules" / ".bin" / "cdk"
Say = Callable[[str], object]
Lacks = Callable[[str], Finding | None]  # what a stack needs that people have to bring


def cli() -> list[str]:
    """The command. Raises ConfigError where it is not installed."""
    if not CLI.exists():
        raise ConfigError("the CDK's CLI is not installed: run `make cdk`")
    return [str(CLI)]


def environ() -> dict[str, str]:
    """With the virtual environment's Node before any other."""
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "JSII_NODE": str(ROOT / ".venv" / "bin" / "node")}


def diff(assembly: Path) -> int:
    """Print what a deployment would change. Its exit code."""
    command = [*cli(), "diff", "--app", str(assembly), "--all", "--no-notices"]
    return subprocess.run(command, env=environ(), check=False).returncode


def destroy(assembly: Path) -> int:
    """Take every stack away, the last one first. Its exit code."""
    command = [*cli(), "destroy", "--app", str(assembly), "--all", "--force", "--no-notices"]
    return subprocess.run(command, env=environ(), check=False).returncode


def deploy(assembly: Path, stacks: list[str], say: Say, *, approve: bool, lacks: Lacks) -> int:
    """One stack after the other, in `stacks`' order, to the first that fails or lacks something: those before it stand,
    those after it are as they were. `approve`: nobody is asked about rights. 0 only if all are deployed."""
    if without := missing_dockerfiles():
        raise ConfigError(f"no Dockerfile for {', '.join(without)} under containers/")
    command = [*cli(), "deploy", "--app", str(assembly), "--exclusively", "--no-notices"]
    command += ["--require-approval", "never" if approve else "broadening"]
    for number, stack in enumerate(stacks, start=1):
        say(f"{number} of {len(stacks)}: {stack}")
        if missing := lacks(stack):
            why = f"before {stack}: {missing.what}: {missing.remedy}"
        elif code := subprocess.run([*command, stack], env=environ(), check=False).returncode:
            why = f"at {stack} (exit code {code})"
        else:
            continue
        say(f"STOPPED {why}. Deployed: {', '.join(stacks[: number - 1]) or 'nothing'}.")
        say(f"Not deployed, as before: {', '.join(stacks[number - 1 :])}. Mend it, and deploy again.")
        return 1
    say(f"deployed: {', '.join(stacks)}")
    return 0
