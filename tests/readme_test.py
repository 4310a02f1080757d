#!/usr/bin/env python3
"""Every ```cpp block of README.md is a complete program: it compiles.

CXX and CXXFLAGS name another compiler or more flags, TENSORTAP_NET_FLAGS what <tensortap/net.hpp> needs.
"""
import os
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = [
    os.environ.get("CXX", "c++"),
    *"-std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only".split(),
    *["-I", ROOT / "include"],
    *shlex.split(os.environ.get("CXXFLAGS", "")),
]
NET_FLAGS = os.environ.get("TENSORTAP_NET_FLAGS")


def cpp_blocks(markdown):
    """(line of the block's first line, its text) of every ```cpp block."""
    for match in re.finditer(r"^```cpp\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE):
        yield markdown.count("\n", 0, match.start(1)) + 1, match[1]


class ReadmeTest(unittest.TestCase):
    def test_the_blocks_compile(self):
        blocks = list(cpp_blocks((ROOT / "README.md").read_text(encoding="utf-8")))
        self.assertTrue(blocks, "README.md has no cpp block")
        with tempfile.TemporaryDirectory() as folder:
            for line, text in blocks:
                with self.subTest(line=line):
                    net = "<tensortap/net.hpp>" in text
                    if net and NET_FLAGS is None:
                        self.skipTest("TENSORTAP_NET_FLAGS says how to compile this")
                    source = Path(folder) / f"readme_line_{line}.cpp"
                    source.write_text(f'#line {line} "README.md"\n{text}', encoding="utf-8")
                    result = subprocess.run([*COMPILE, *(shlex.split(NET_FLAGS) if net else []), source], capture_output=True, text=True)
                    self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
