"""The folder that OpenSearch starts from: jars in `lib` and one folder a module."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.local.jars.download import cached, link
from infra.local.jars.lock import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module of the node; its class and what it extends are the ones of the distribution's descriptors."""

    name: str
    class_name: str
    extends: str = ""


# What the pipeline uses. The full set costs 0.4 s at start and 15 MB more; the lock has it, so a name more will do.
MODULES = (
    Module(
        name="analysis-common",
        class_name="org.opensearch.analysis.common.CommonAnalysisModulePlugin",
        extends="lang-painless",
    ),
    Module(name="lang-painless", class_name="org.opensearch.painless.PainlessModulePlugin"),
    Module(name="mapper-extras", class_name="org.opensearch.index.mapper.MapperExtrasModulePlugin"),
    Module(name="reindex", class_name="org.opensearch.index.reindex.ReindexModulePlugin"),
    Module(name="transport-netty4", class_name="org.opensearch.transport.Netty4ModulePlugin"),
)

_EMPTY = ("agent", "bin", "config", "extensions", "plugins")  # the node does not start without them


def layout_of(lock: Lock, downloads: Path) -> Path:
    """Where the layout of `lock` belongs; complete if it exists."""
    digest = hashlib.sha256(repr((sorted(jar.sha256 for jar in lock.jars), MODULES)).encode()).hexdigest()
    return downloads / f"opensearch-{lock.version}-{digest[:12]}"


def lay_out(lock: Lock, cache: Path, target: Path) -> None:
    """Build `target` from the jars in `cache`: links, no copies, where the file system can. It appears in one step."""
    building = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        places = {"lib": building / "lib"} | {module.name: building / "modules" / module.name for module in MODULES}
        for folder in (*places.values(), *(building / name for name in _EMPTY)):
            folder.mkdir(parents=True)
        for jar in lock.jars:
            for place in jar.places & places.keys():
                link(cached(cache, jar), places[place] / jar.file_name)
        for module in MODULES:
            descriptor = places[module.name] / "plugin-descriptor.properties"
            descriptor.write_text(_descriptor(module, lock.version), encoding="utf-8")
        building.chmod(0o755)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        if not target.exists():  # else another stack that shares the downloads was faster
            raise


def _descriptor(module: Module, version: str) -> str:
    return (
        f"name={module.name}\n"
        f"description={module.name}\n"
        f"version={version}\n"
        f"opensearch.version={version}\n"
        "java.version=21\n"
        f"classname={module.class_name}\n"
        f"extended.plugins={module.extends}\n"
        "has.native.controller=false\n"
    )
