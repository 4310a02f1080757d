#!/usr/bin/env python3
"""The few lines of use at the top of each header compile, with the names a reader would expect to be there.

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
PRELUDE = """
#include <tensortap/tensortap.hpp>
#include <iostream>
using R = tensortap::Reduction;
struct MyTensor { const float* data; std::vector<std::int64_t> shape; };
extern tensortap::Hook hook;
extern const tensortap::Trial trial;
extern tensortap::Store& store;
extern const tensortap::TensorView view;
extern const tensortap::IndexFile index_file;
extern const std::vector<tensortap::Collection> collections;
extern const std::span<const tensortap::Bytes> pieces;
extern const tensortap::Bytes bytes, more, payload;
extern const std::vector<float> gradient;
extern std::vector<std::vector<float>> gradients;
extern const std::string elements, text, key;
extern const double wall_time;
extern std::ostream& file;
"""


NET_PRELUDE = PRELUDE.replace("tensortap.hpp", "net.hpp") + """
extern const tensortap::HttpTransport transport;
"""
NET_FOLDERS = ("http", "s3")


def use_of(header):
    """The indented lines of the comment a header opens with."""
    comment = header.read_text(encoding="utf-8").split("#pragma once")[0]
    lines = [line[2:].strip("\n") for line in comment.splitlines() if line.startswith("//   ")]
    return "\n".join(lines).replace("…", ";")


def is_for_users(header):
    comment = header.read_text(encoding="utf-8").split("#pragma once")[0].replace("\n// ", " ")
    return "Not for user" not in comment


def source_of(headers, prelude):
    """A program with the uses of all `headers`, and how many there are."""
    source = prelude
    uses = 0
    for header in headers:
        use = use_of(header)
        if not use or not is_for_users(header) or header.parent.name == "adapters" or header.name == "layout.hpp":
            continue
        uses += 1
        name = re.sub(r"\W", "_", str(header.relative_to(ROOT / "include")))
        if "tensortap_view(" in use:  # a function of its own
            source += f'#line 1 "{header.name}"\n{use}\n'
        else:
            source += f'void {name}() {{\n#line 1 "{header.name}"\n{use}\n}}\n'
    return source, uses


class HeaderUsesTest(unittest.TestCase):
    def setUp(self):
        headers = sorted((ROOT / "include" / "tensortap").rglob("*.hpp"))
        self.net = [header for header in headers if header.parent.name in NET_FOLDERS]
        self.others = [header for header in headers if header not in self.net]

    def compiles(self, source, flags):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "uses.cpp"
            path.write_text(source, encoding="utf-8")
            command = [os.environ.get("CXX", "c++"), "-std=c++20", "-fsyntax-only", "-I", str(ROOT / "include")]
            result = subprocess.run([*command, *shlex.split(flags), str(path)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_they_compile(self):
        source, uses = source_of(self.others, PRELUDE)
        self.assertGreater(uses, 15)
        self.compiles(source, os.environ.get("CXXFLAGS", ""))

    @unittest.skipUnless("TENSORTAP_NET_FLAGS" in os.environ, "TENSORTAP_NET_FLAGS says how to compile these")
    def test_those_that_speak_to_a_network_compile(self):
        source, uses = source_of(self.net, NET_PRELUDE)
        self.assertGreater(uses, 5)
        self.compiles(source, os.environ.get("CXXFLAGS", "") + " " + os.environ["TENSORTAP_NET_FLAGS"])


if __name__ == "__main__":
    unittest.main()
