#!/usr/bin/env python3
"""Every header compiles when it is included first: doors header-only and as declarations, rooms as they are.

CXX, CXXFLAGS and TENSORTAP_NET_FLAGS as in readme_test.py.
"""
import os
import shlex
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent.parent / "include"
COMPILE = [os.environ.get("CXX", "c++"), *"-std=c++20 -O0 -fsyntax-only -Wall -Wextra -Werror -x c++ -".split(), "-I", INCLUDE,
           *shlex.split(os.environ.get("CXXFLAGS", ""))]
NET_FLAGS = os.environ.get("TENSORTAP_NET_FLAGS")


def cases():
    """(header, flags) of all that is compiled."""
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = path.relative_to(INCLUDE).as_posix()
        if header.startswith("tensortap/adapters/"):  # these need the library they adapt
            continue
        net = header.startswith("tensortap/net")
        if net and NET_FLAGS is None:
            continue
        flags = shlex.split(NET_FLAGS) if net else []
        yield header, [*flags, "-DTENSORTAP_COMPILED"]
        if "/internal/" not in header:
            yield header, flags


def compile_alone(case):
    header, flags = case
    source = f"#include <{header}>\n"
    return case, subprocess.run([*COMPILE, *flags], input=source, capture_output=True, text=True)


class HeaderAloneTest(unittest.TestCase):
    def test_each_header_compiles_alone(self):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(compile_alone, cases()))
        self.assertGreater(len(results), 150)
        for (header, flags), result in results:
            with self.subTest(header=header, flags=flags):
                self.assertEqual(result.returncode, 0, result.stderr[:4000])


if __name__ == "__main__":
    unittest.main()
