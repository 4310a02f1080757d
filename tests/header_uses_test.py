#!/usr/bin/env python3
"""The few lines of use at the top of each door compile, with the names a reader would expect to be there.

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
#include <tensortap/job.hpp>
#include <tensortap/report.hpp>
#include <tensortap/trace.hpp>
#include <fstream>
#include <iostream>
using R = tensortap::Reduction;
struct MyTensor { const float* data; std::vector<std::int64_t> shape; };
extern tensortap::Hook hook;
extern const tensortap::Trial trial;
extern tensortap::Store& store;
extern const tensortap::TensorView view;
extern const tensortap::JudgedStep& step;
extern const tensortap::KnownTensor weight;
extern tensortap::HookOptions options;
extern const tensortap::IndexFile index_file;
extern const std::vector<tensortap::Collection> collections;
extern const std::span<const tensortap::Bytes> pieces;
extern const tensortap::Bytes bytes, more, payload;
extern const std::vector<float> gradient;
extern std::vector<std::vector<float>> gradients;
extern const std::string elements, text, key;
extern const double wall_time;
extern std::ostream& file;
struct Model { void load(const std::string& path); void save(const std::string& path) const; };
extern Model model;
"""


NET_PRELUDE = PRELUDE.replace("tensortap.hpp", "net.hpp") + """
extern const tensortap::HttpTransport transport;
"""


def use_of(header):
    """The indented lines of the comment a header opens with."""
    comment = header.read_text(encoding="utf-8").split("#pragma once")[0]
    lines = [line[2:].strip("\n") for line in comment.splitlines() if line.startswith("//   ")]
    return "\n".join(lines).replace("…", ";")


def source_of(headers, prelude):
    """A program with the uses of all `headers`, and how many there are."""
    source = prelude
    uses = 0
    for header in headers:
        use = use_of(header)
        if not use or header.name == "layout.hpp":  # its lines are a listing
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
        root = ROOT / "include" / "tensortap"
        doors = [header for header in sorted(root.rglob("*.hpp")) if header.parent.name not in ("internal", "adapters")]
        self.net = [header for header in doors if (root / "net") in header.parents]
        self.others = [header for header in doors if header not in self.net]

    def compiles(self, source, flags):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "uses.cpp"
            path.write_text(source, encoding="utf-8")
            command = [os.environ.get("CXX", "c++"), "-std=c++20", "-DTENSORTAP_COMPILED", "-fsyntax-only", "-I", str(ROOT / "include")]
            result = subprocess.run([*command, *shlex.split(flags), str(path)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_they_compile(self):
        source, uses = source_of(self.others, PRELUDE)
        self.assertGreater(uses, 15)
        self.compiles(source, os.environ.get("CXXFLAGS", ""))

    @unittest.skipUnless("TENSORTAP_NET_FLAGS" in os.environ, "TENSORTAP_NET_FLAGS says how to compile these")
    def test_those_of_the_network_compile(self):
        source, uses = source_of(self.net, NET_PRELUDE)
        self.assertGreater(uses, 5)
        self.compiles(source, os.environ.get("CXXFLAGS", "") + " " + os.environ["TENSORTAP_NET_FLAGS"])


if __name__ == "__main__":
    unittest.main()
