#!/usr/bin/env python3
"""Every ```cpp block of README.md is a complete program: it compiles.

CXX and CXXFLAGS name another compiler or more flags.
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
    *"-std=c++20 -Wall -Wextra -Wpedantic -Werror -O0 -c -o /dev/null".split(),
    *["-I", ROOT / "include"],
    *shlex.split(os.environ.get("CXXFLAGS", "")),
]


def net_is_here():
    """Whether what <tensortap/net.hpp> needs is installed."""
    source = "#include <httplib.h>\n#include <openssl/ssl.h>\n#include <pugixml.hpp>\n"
    return subprocess.run([*COMPILE, "-fsyntax-only", "-xc++", "-"], input=source, text=True, capture_output=True).returncode == 0


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
                    if "tensortap/net.hpp" in text and not net_is_here():
                        self.skipTest("httplib, OpenSSL or pugixml is not installed")
                    source = Path(folder) / f"readme_line_{line}.cpp"
                    source.write_text(f'#line {line} "README.md"\n{text}', encoding="utf-8")
                    result = subprocess.run([*COMPILE, source], capture_output=True, text=True)
                    self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
