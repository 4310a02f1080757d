#!/usr/bin/env python3
"""The bodies of the library pass clang-tidy 14 with the checks of .clang-tidy.

TENSORTAP_BUILD_DIR names the build folder, which holds one source for each folder of headers. Skipped without clang-tidy.
"""
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    program = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    if program is None or "version 14." not in subprocess.run([program, "--version"], capture_output=True, text=True).stdout:
        print("skipped: clang-tidy 14 is not installed")
        return 77
    sources = sorted((Path(os.environ["TENSORTAP_BUILD_DIR"]) / "compiled").glob("*.cpp"))
    flags = ["-std=c++20", "-DTENSORTAP_COMPILED", f"-I{ROOT / 'include'}", *shlex.split(os.environ.get("CXXFLAGS", "")),
             *shlex.split(os.environ.get("TENSORTAP_NET_FLAGS", ""))]

    def check(source):
        command = [program, "--quiet", f"--config-file={ROOT / '.clang-tidy'}", source, "--", *flags]
        return subprocess.run(command, capture_output=True, text=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(check, sources))
    for source, result in zip(sources, results):
        if result.returncode != 0:
            print(f"{source.name}:\n{result.stdout[:8000]}")
    print(f"{len(sources)} sources")
    return 1 if not sources or any(result.returncode for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
