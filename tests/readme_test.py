#!/usr/bin/env python3
"""The programs in all pages work: README.md at the root and in the folders of include/tensortap/.

Each ```cpp block compiles. A block with main() runs in an empty directory and exits with 0, unless its fence says
`cpp compile-only`. Links to files of the repository lead to files.

CXX and CXXFLAGS name another compiler or more flags. TENSORTAP_LIBRARY names the static library of tensortap::compiled;
without it the programs are compiled header-only. TENSORTAP_NET_FLAGS are the flags that <tensortap/net.hpp> needs;
without them, blocks that include it are skipped. TENSORTAP_NET_LIBRARIES are the libraries; without them, such blocks
are compiled only. Blocks that include an adapter of MPI are compiled by mpicxx, as one process; without it, skipped.
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
PAGES = [ROOT / "README.md", *sorted((ROOT / "include" / "tensortap").rglob("README.md"))]
LIBRARY = os.environ.get("TENSORTAP_LIBRARY")
NET_FLAGS = os.environ.get("TENSORTAP_NET_FLAGS")
NET_LIBRARIES = os.environ.get("TENSORTAP_NET_LIBRARIES")
COMPILE = [
    os.environ.get("CXX", "c++"),
    *"-std=c++20 -O0 -Wall -Wextra -Wpedantic -Werror -pthread".split(),
    *["-I", ROOT / "include"],
    *shlex.split(os.environ.get("CXXFLAGS", "")),
    *(["-DTENSORTAP_COMPILED"] if LIBRARY else []),
]


def cpp_blocks(markdown):
    """Yields (line of the block's first line, whether its fence says compile-only, its text)."""
    for match in re.finditer(r"^```cpp( compile-only)?\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE):
        yield markdown.count("\n", 0, match.start(2)) + 1, bool(match[1]), match[2]


class PagesTest(unittest.TestCase):
    def call(self, command, cwd=None):
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
        self.assertEqual(result.returncode, 0, result.stdout[-2000:] + result.stderr[-4000:])

    def check(self, folder, page, line, compile_only, text):
        net = "<tensortap/net" in text
        if net and NET_FLAGS is None:
            self.skipTest("TENSORTAP_NET_FLAGS is not set")
        flags = shlex.split(NET_FLAGS) if net else []
        compiler = COMPILE
        if "<tensortap/adapters/mpi.hpp>" in text:
            if not shutil.which("mpicxx"):
                self.skipTest("there is no mpicxx")
            # Without the old C++ bindings, whose headers cause warnings.
            compiler = ["mpicxx", "-DOMPI_SKIP_MPICXX", "-DMPICH_SKIP_MPICXX", *COMPILE[1:]]
        source, program = folder / "program.cpp", folder / "program"
        source.write_text(f'#line {line} "{page.relative_to(ROOT)}"\n{text}', encoding="utf-8")
        if compile_only or not re.search(r"^(int|auto) main\(", text, re.MULTILINE) or (net and not NET_LIBRARIES):
            self.call([*compiler, *flags, "-fsyntax-only", source])
            return
        libraries = [*(shlex.split(NET_LIBRARIES) if net else []), *([LIBRARY] if LIBRARY else [])]
        self.call([*compiler, *flags, source, "-o", program, *libraries])
        with tempfile.TemporaryDirectory() as empty:
            self.call([program], cwd=empty)

    def test_the_programs_compile_and_run(self):
        with tempfile.TemporaryDirectory() as folder:
            for page in PAGES:
                for line, compile_only, text in cpp_blocks(page.read_text(encoding="utf-8")):
                    with self.subTest(page=str(page.relative_to(ROOT)), line=line):
                        self.check(Path(folder), page, line, compile_only, text)

    def test_the_first_page_has_programs_that_run(self):
        blocks = list(cpp_blocks(PAGES[0].read_text(encoding="utf-8")))
        self.assertTrue(blocks, "README.md has no cpp block")
        self.assertFalse([line for line, compile_only, text in blocks if compile_only or "int main()" not in text])

    def test_fences(self):
        text = "a\n```cpp\nint x;\n```\n```cpp compile-only\nint y;\n```\n```sh\nls\n```\n"
        self.assertEqual(list(cpp_blocks(text)), [(3, False, "int x;\n"), (6, True, "int y;\n")])

    def test_links_lead_to_files(self):
        for page in PAGES:
            prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):  # in code, "](" begins the parameters of a lambda
                if "://" not in target:
                    with self.subTest(page=str(page.relative_to(ROOT)), target=target):
                        self.assertTrue((page.parent / target).exists())


if __name__ == "__main__":
    unittest.main()
