#!/usr/bin/env python3
"""Every door and every room compiles when it is included first; an unused one leaves no code.

Doors are compiled as declarations; layers_test.py checks that their bodies find what they need.

CXX, CXXFLAGS and TENSORTAP_NET_FLAGS as in readme_test.py.
"""
import os
import re
import shlex
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent.parent / "include"
COMPILE = [os.environ.get("CXX", "c++"), *"-std=c++20 -O0 -Wall -Wextra -Werror -x c++ -".split(), "-I", INCLUDE,
           *shlex.split(os.environ.get("CXXFLAGS", ""))]
NET_FLAGS = os.environ.get("TENSORTAP_NET_FLAGS")


def cases():
    """The headers, each with its flags; bodies are compiled with the library."""
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = path.relative_to(INCLUDE).as_posix()
        if header.startswith("tensortap/adapters/") or header.endswith("_impl.hpp"):  # adapters need another library
            continue
        net = header.startswith("tensortap/net")
        if net and NET_FLAGS is None:
            continue
        yield header, ["-DTENSORTAP_COMPILED", *(shlex.split(NET_FLAGS) if net else [])]


def compile_alone(case, output=("-fsyntax-only",)):
    header, flags = case
    source = f"#include <{header}>\n"
    return case, subprocess.run([*COMPILE, *output, *flags], input=source, capture_output=True, text=True)


class HeaderAloneTest(unittest.TestCase):
    def test_each_header_compiles_alone(self):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(compile_alone, cases()))
        self.assertGreater(len(results), 150)
        for (header, flags), result in results:
            with self.subTest(header=header, flags=flags):
                self.assertEqual(result.returncode, 0, result.stderr[:4000])

    def test_a_header_that_is_not_used_leaves_no_code(self):
        # Not so net.hpp: it registers "s3://" with open_store().
        _, result = compile_alone(("tensortap/tensortap.hpp", []), output=["-S", "-o", "-"])
        self.assertEqual(result.returncode, 0, result.stderr[:4000])
        self.assertIn(".file", result.stdout)
        functions = re.findall(r"^\s+\.type\s+(\w*tensortap\w*),\s*[@%]function", result.stdout, re.MULTILINE)
        self.assertEqual(functions[:10], [])


if __name__ == "__main__":
    unittest.main()
