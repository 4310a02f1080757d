#!/usr/bin/env python3
"""A program of two modes, header-only, compiles with the oldest g++ and with libc++, without warnings, and runs.

The compilers that are not installed are left out; without any, the test is skipped.
"""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = ["g++-11", "clang++-16 -stdlib=libc++"]
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Werror"


def works(command):
    """Whether the compiler and its standard library are installed."""
    if shutil.which(command[0]) is None:
        return False
    check = subprocess.run([*command, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"], input="#include <vector>\n",
                           capture_output=True, text=True)
    return check.returncode == 0


def main():
    tried = 0
    for compiler in COMPILERS:
        command = shlex.split(compiler)
        if not works(command):
            print(f"{compiler}: not installed")
            continue
        tried += 1
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([*command, "-std=c++20", "-O0", *shlex.split(WARNINGS), f"-I{ROOT / 'include'}",
                            *shlex.split(os.environ.get("CXXFLAGS", "")), str(ROOT / "tests/consume/main.cpp"),
                            "-pthread", "-o", f"{directory}/program"], check=True)
            subprocess.run([f"{directory}/program"], check=True, cwd=directory)
        print(f"{compiler}: compiles and runs")
    return 0 if tried else 77


if __name__ == "__main__":
    sys.exit(main())
