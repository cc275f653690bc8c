"""Compiles the fast operations of `helio.kernels` when Helio is installed; without a compiler, installs without them.

`python hatch_build.py` compiles them in place. A compiler is looked for under the name in the environment variable
CXX, then as c++, g++ and clang++. The code is compiled for this machine's processor; HELIO_ARCHITECTURE names another
one (as in -march), for packages that travel.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand in an environment that builds nothing else
    BuildHookInterface = object

ROOT = Path(__file__).parent
KERNELS = ROOT / "helio" / "kernels"
LIBRARY = KERNELS / "libhelio_kernels.so"
# -ffast-math would break the exponential function, which relies on rounding.
FLAGS = ["-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared", "-w"]


def compile_library(library: Path = LIBRARY) -> str | None:
    """Compile; returns why that was not possible, None if it was."""
    headers = xla_headers()
    if headers is None:
        return "jaxlib, whose headers it needs, is not installed"
    compiler = next(filter(None, map(shutil.which, [os.environ.get("CXX", ""), "c++", "g++", "clang++"])), None)
    if compiler is None:
        return "no C++ compiler was found"
    # Apple's linker resolves nothing of a library that Python loads unless told so.
    system = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    made = library.with_name(f"{library.name}.{os.getpid()}")
    sources = sorted(map(str, (KERNELS / "csrc").glob("*.cpp")))
    command = [compiler, *FLAGS, architecture(), *system, f"-I{headers}", *sources]
    result = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True)
    if result.returncode:
        made.unlink(missing_ok=True)
        return f"{compiler} failed:\n{result.stderr[-4000:]}"
    made.replace(library)  # at once: a running program keeps the library that it has loaded
    return None


def architecture() -> str:
    """The compiler's option for the processor."""
    chosen = os.environ.get("HELIO_ARCHITECTURE", "native")
    return f"-m{'cpu' if platform.machine() in ('arm64', 'aarch64') else 'arch'}={chosen}"


def xla_headers() -> Path | None:
    """The folder of XLA's headers, without importing JAX."""
    found = importlib.util.find_spec("jaxlib")
    if found is None or found.origin is None:
        return None
    headers = Path(found.origin).parent / "include"
    return headers if headers.is_dir() else None


class KernelBuildHook(BuildHookInterface):
    """Called by hatchling for wheels and for editable installs."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile beside the package's files, and let the wheel hold the result."""
        if self.target_name != "wheel":
            return
        failure = compile_library()
        if failure is not None:
            LIBRARY.unlink(missing_ok=True)
            self.app.display_warning(f"Helio is installed without its compiled operations and runs slower: {failure}")
            return
        build_data["artifacts"].append(f"/{LIBRARY.relative_to(ROOT)}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = False
        build_data["tag"] = f"py3-none-{wheel_platform()}"


def wheel_platform() -> str:
    """The platform in a wheel's name."""
    import sysconfig

    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


if __name__ == "__main__":
    problem = compile_library()
    sys.exit(problem and f"the fast operations were not compiled: {problem}")
