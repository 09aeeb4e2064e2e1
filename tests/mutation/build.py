"""Builds images of mutants: one source is compiled anew, and linked with the objects of all the others.

An image is instrumented, as the one that ``wintun-sim check`` judges, but has no debug information, so that two objects
are the same file when the compiler makes the same of them.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
from pathlib import Path
from typing import Final

from wintun_sim.kernel import builder

ROOT: Final = Path(__file__).parents[2]
DRIVER: Final = ROOT / "driver"
SHARED: Final = ROOT / "shared"


class Workshop:
    """The objects of the driver as it is, in a directory, ready to be linked with one that is not."""

    def __init__(self, directory: Path) -> None:
        """Compile everything. Raises ``builder.BuildError``."""
        self.directory = directory
        self.compiler = builder.find_compiler()
        flags = [flag for flag in builder._flags(self.compiler, (DRIVER, SHARED), (), True, ()) if flag != "-g"]
        self._compile = [*self.compiler.command, *flags, "-w", "-c"]
        self.objects: dict[str, Path] = {}
        for source in [*sorted(DRIVER.glob("*.c")), SHARED / "bundle.c"]:
            target = directory / f"{source.stem}.o"
            if not self._make(source, target):
                raise builder.BuildError(f"{source.name} does not compile as it is")
            self.objects[source.name] = target
        objects = list(self.objects.values())
        names = builder._undefined_names(self.compiler, objects, directory)
        imports = [name for name in names if name not in builder.OURS]
        assembly = directory / "imports.S"
        text = builder._imports_source(platform.machine(), imports, builder.INSTRUMENTED, len(objects))
        assembly.write_text(text, encoding="ascii")
        self._imports = directory / "imports.o"
        subprocess.run([*self.compiler.command, "-c", str(assembly), "-o", str(self._imports)], check=True)
        self._support = builder._support_library(self.compiler)

    def _make(self, source: Path, target: Path) -> bool:
        command = [*self._compile, f"-ffile-prefix-map={source.parent}=.", str(source), "-o", str(target)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def digest(self, file: str) -> str:
        """Say what the compiler makes of a source as it is."""
        return hashlib.sha256(self.objects[file].read_bytes()).hexdigest()

    def compile(self, file: str, text: str, place: Path) -> tuple[Path, str] | None:
        """Compile another text of a source in the directory ``place``; return the object and its digest, or None."""
        source, target = place / file, place / f"{Path(file).stem}.o"
        source.write_text(text, encoding="utf-8")
        if not self._make(source, target):
            return None
        return target, hashlib.sha256(target.read_bytes()).hexdigest()

    def link(self, file: str, mutant: Path, image: Path) -> bool:
        """Make the image with ``mutant`` in the place of the object of ``file``; whether that can be done."""
        objects = [mutant if name == file else target for name, target in self.objects.items()]
        command = [*self.compiler.command, *builder.LINK_FLAGS, "-Wl,--no-undefined", *map(str, objects)]
        command += [str(self._imports), *self._support, "-o", str(image)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
