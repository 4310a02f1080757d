#!/usr/bin/env python3
"""Two libraries of one program may hold different versions of tensortap: header-only or compiled, static or shared.

The other version is a copy of the headers with another inline namespace. Its compiled library is that of this version
with the name of the namespace replaced in the symbols, which has the same length: this is what the compiler would make
of the copy. CXX, CXXFLAGS and TENSORTAP_LIBRARY as in readme_test.py.
"""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = ROOT / "tests/link"
LIBRARY = os.environ.get("TENSORTAP_LIBRARY")
COMPILE = [os.environ.get("CXX", "c++"), *"-std=c++20 -O0 -fPIC -pthread".split(), *shlex.split(os.environ.get("CXXFLAGS", ""))]
CONFIG = "tensortap/internal/config.hpp"
NAMESPACE = re.search(r"inline namespace (v\w+)", (ROOT / "include" / CONFIG).read_text(encoding="utf-8"))[1]
OTHER = NAMESPACE[:-1] + str((int(NAMESPACE[-1]) + 1) % 10)


def must(*command, **more):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900, **more)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result.stdout


@unittest.skipUnless(LIBRARY, "TENSORTAP_LIBRARY is not set")
class TwoVersionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        shutil.copytree(ROOT / "include", cls.folder / "other")
        config = cls.folder / "other" / CONFIG
        config.write_text(config.read_text(encoding="utf-8").replace(f"namespace {NAMESPACE}", f"namespace {OTHER}"), encoding="utf-8")
        cls.other_library = cls.folder / "libother.a"
        code = Path(LIBRARY).read_bytes()
        mangled = [f"{len(name)}{name}".encode() for name in (NAMESPACE, OTHER)]
        assert code.count(mangled[0]) > 1000
        cls.other_library.write_bytes(code.replace(*mangled))
        cls.one = cls.compiled("one", ROOT / "include", "-DTENSORTAP_COMPILED")
        cls.two = cls.compiled("two", cls.folder / "other", "-DTENSORTAP_COMPILED")
        cls.two_header_only = cls.compiled("two", cls.folder / "other")

    @classmethod
    def compiled(cls, part, include, *flags):
        out = cls.folder / f"{part}{len(flags)}.o"
        must(*COMPILE, *flags, f"-DPART={part}", "-I", include, "-c", LINK / "part.cpp", "-o", out)
        return out

    def run_linked(self, *objects):
        program = self.folder / f"program_{self._testMethodName}"
        must(*COMPILE, LINK / "two_parts.cpp", *objects, "-o", program)
        with tempfile.TemporaryDirectory() as empty:
            self.assertEqual(must(program, cwd=empty), "written: 1, read: 1, apart: 1\n")

    def shared(self, name, *objects):
        out = self.folder / f"lib{name}.so"
        must(*COMPILE, "-shared", *objects, "-o", out)
        return out

    def test_static_both_compiled(self):
        self.run_linked(self.one, self.two, LIBRARY, self.other_library)

    def test_static_one_compiled_and_one_header_only(self):
        self.run_linked(self.one, self.two_header_only, LIBRARY)

    def test_shared(self):
        self.run_linked(self.shared("first", self.one, LIBRARY), self.shared("second", self.two_header_only),
                        f"-Wl,-rpath,{self.folder}")

    def test_files_of_both_versions_do_not_link_where_they_meet(self):
        with self.assertRaisesRegex(AssertionError, rf"undefined reference to .*tensortap::{OTHER}::"):
            self.run_linked(self.one, self.two, LIBRARY)

    def test_every_symbol_names_its_version(self):
        for path, namespace in ((LIBRARY, NAMESPACE), (self.two_header_only, OTHER)):
            symbols = must("nm", "--defined-only", "--extern-only", "--format=just-symbols", path).split()
            self.assertGreater(len(symbols), 1000)
            nameless = [name for name in symbols if "tensortap" in name.lower() and f"{len(namespace)}{namespace}" not in name
                        and not name.endswith((".o", ".o:"))]
            self.assertEqual(nameless, [])


if __name__ == "__main__":
    unittest.main()
