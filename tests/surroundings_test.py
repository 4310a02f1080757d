#!/usr/bin/env python3
"""The headers compile in the surroundings of other programs: after headers that define macros, without RTTI, with C++23,
and with every warning as an error. All of them are in one file then, as in a unity build.

CXX, CXXFLAGS and TENSORTAP_NET_FLAGS as in readme_test.py.
"""
import os
import re
import shlex
import shutil
import subprocess
import unittest
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent.parent / "include"
COMPILE = [os.environ.get("CXX", "c++"), *"-std=c++20 -O0 -fsyntax-only -Wall -Wextra -Werror -pthread -x c++ -".split(),
           "-I", INCLUDE, *shlex.split(os.environ.get("CXXFLAGS", ""))]
NET_FLAGS = os.environ.get("TENSORTAP_NET_FLAGS")

# Names that headers define as macros. Windows' min and max are not here: internal/config.hpp refuses them with a message.
MACROS = {
    "Qt": "signals slots emit forever foreach Q_SIGNALS Q_SLOTS",
    "X11": "None Bool Status Success Always True False Complex Convex Unsorted YSorted Above Below Opposite KeyPress "
           "KeyRelease FocusIn FocusOut Expose CursorShape FontChange ControlMask ParentRelative CopyFromParent "
           "InputOnly InputOutput GrayScale StaticColor PseudoColor DirectColor NoSymbol DestroyAll RetainPermanent "
           "AllocNone AllTemporary Nonconvex LowerHighest RaiseLowest DontCareState NormalState",
    "Windows": "ERROR DELETE IN OUT OPTIONAL TRUE FALSE BOOL VOID CONST near far small hyper interface cdecl pascal "
               "NO_ERROR NEAR FAR PASCAL CALLBACK WINAPI STRICT IGNORE INFINITE DIFFERENCE ABSOLUTE RELATIVE OPAQUE "
               "TRANSPARENT PASSTHROUGH DOMAIN OVERFLOW UNDERFLOW GetObject GetMessage CreateFile DeleteFile CopyFile "
               "MoveFile SendMessage LoadImage GetCurrentTime Yield",
    "others": "assert check CHECK TEST REQUIRE ASSERT nil TRACE LOG",
    "C": "major minor makedev unix linux MIN MAX I DOMAIN SING PLOSS TLOSS howmany roundup likely unlikely "
         "__unused __packed container_of ARRAY_SIZE BIT ALIGN PAGE_SIZE",
}

# Every warning that g++ 12 has for C++ and that says something, of those that an option must ask for. Left out, because
# the library means what they warn of: -Wswitch-enum, -Wswitch-default (a switch names the cases that matter, and
# -Wswitch those that are missing), -Wfloat-equal (comparisons with what was stored), -Wredundant-tags (struct flock is
# also a function), -Wnoexcept, -Weffc++, -Wsuggest-attribute, -Wsuggest-final-* (advice), -Wpadded, -Winline, -Waggregate-return, -Wtemplates,
# -Wnamespaces, -Wsystem-headers, -Wabi-tag.
GCC_WARNINGS = """-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Warith-conversion -Wfloat-conversion -Wdouble-promotion
    -Wshadow -Wold-style-cast -Wuseless-cast -Wcast-qual -Wcast-align=strict -Wduplicated-cond -Wduplicated-branches -Wlogical-op
    -Wnull-dereference -Wformat=2 -Wformat-signedness -Woverloaded-virtual -Wnon-virtual-dtor -Wctor-dtor-privacy
    -Wsuggest-override -Wundef -Wunused -Wunused-macros -Wredundant-decls -Wmissing-declarations -Wstrict-null-sentinel
    -Wsign-promo -Wextra-semi -Wcomma-subscript -Wvolatile -Wmismatched-tags -Wzero-as-null-pointer-constant
    -Wdeprecated-copy-dtor -Wplacement-new=2 -Wcatch-value=3 -Wconditionally-supported -Walloca -Wvla -Wdate-time
    -Winvalid-pch -Wmultichar -Wpacked -Wtrampolines -Wdisabled-optimization -Wvector-operation-performance"""
# Of clang's warnings, all but these: older standards; padding; switches and comparisons as above; virtual tables and
# objects with destructors in headers; std::lock_guard without its type; macros of signal.h; several expressions in one
# statement; a float that becomes a double, which is exact.
CLANG_WARNINGS = """-Weverything -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-pre-c++20-compat-pedantic -Wno-c++20-compat
    -Wno-pre-c++2b-compat -Wno-padded -Wno-switch-enum -Wno-covered-switch-default -Wno-float-equal -Wno-weak-vtables
    -Wno-exit-time-destructors -Wno-global-constructors -Wno-ctad-maybe-unsupported -Wno-disabled-macro-expansion -Wno-comma
    -Wno-double-promotion"""
WARNINGS = {"g++": GCC_WARNINGS, "clang++": CLANG_WARNINGS}


if NET_FLAGS is None:
    SOURCE, FLAGS = "#include <tensortap/job.hpp>\n#include <tensortap/report.hpp>\n#include <tensortap/trace.hpp>\n", []
else:
    SOURCE, FLAGS = "#include <tensortap/job.hpp>\n#include <tensortap/net.hpp>\n", shlex.split(NET_FLAGS)


def includes_of_others():
    """The headers of the standard library and of others, which come before the macros."""
    found = set()
    for path in INCLUDE.rglob("*.hpp"):
        name = path.relative_to(INCLUDE).as_posix()
        if name.startswith("tensortap/adapters") or (name.startswith("tensortap/net") and NET_FLAGS is None):
            continue
        found |= set(re.findall(r"^#include <(?!tensortap/)([^>]+)>", path.read_text(), re.M))
    found -= {"arm_neon.h"}
    return "#define CPPHTTPLIB_EXPECT_100_THRESHOLD 0\n" + "".join(
        f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in sorted(found))


def compiled(source, *flags, compiler=None):
    return subprocess.run([*([compiler] if compiler else COMPILE[:1]), *COMPILE[1:], *FLAGS, *flags], input=source,
                          capture_output=True, text=True, timeout=900)


def doors():
    """Includes of every header that users may include, adapters too where their library is installed."""
    paths = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.hpp") if "internal" not in path.parts)
    return "".join(f"#include <{path}>\n" for path in paths
                   if not path.startswith("tensortap/adapters/") and (NET_FLAGS is not None or "/net" not in path))


class SurroundingsTest(unittest.TestCase):
    def test_no_name_is_a_macro_of_other_libraries(self):
        names = sorted({name for names in MACROS.values() for name in names.split()})
        macros = "".join(f"#undef {name}\n#define {name} 0 tensortap uses {name} 0\n" for name in names)
        result = compiled(includes_of_others() + macros + SOURCE)
        self.assertEqual(result.returncode, 0, result.stderr[:4000])

    def test_windows_min_and_max_are_refused_by_name(self):
        result = compiled("#include <algorithm>\n#define max(a, b) a\n" + SOURCE, "-DTENSORTAP_COMPILED")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("NOMINMAX", result.stderr)

    def test_no_header_needs_rtti(self):
        result = compiled(SOURCE, "-fno-rtti")
        self.assertEqual(result.returncode, 0, result.stderr[:4000])

    def test_every_warning_is_an_error(self):
        for compiler, warnings in WARNINGS.items():
            if shutil.which(compiler) is None:
                continue
            for mode in (["-std=c++2b"], ["-DTENSORTAP_COMPILED"]):
                with self.subTest(compiler=compiler, mode=mode):
                    flags = [*shlex.split(warnings), *mode]
                    result = compiled(doors() + "int main() {}\n", *flags, compiler=compiler)
                    self.assertEqual(result.returncode, 0, result.stderr[:4000])

    def test_the_warnings_are_on(self):
        for compiler, warnings in WARNINGS.items():
            if shutil.which(compiler) is not None:
                for mistake in ("int main(int argc, char**) { long x = 1; return argc + x; }", "int main() { return (int)1.5; }"):
                    result = compiled(mistake, *shlex.split(warnings), compiler=compiler)
                    self.assertNotEqual(result.returncode, 0, compiler)


if __name__ == "__main__":
    unittest.main()
