#!/usr/bin/env python3
"""The headers compile in the surroundings of other programs: after headers that define macros, and without RTTI.

CXX, CXXFLAGS and TENSORTAP_NET_FLAGS as in readme_test.py.
"""
import os
import re
import shlex
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
    "C": "major minor makedev unix linux MIN MAX I DOMAIN SING PLOSS TLOSS howmany roundup likely unlikely "
         "__unused __packed container_of ARRAY_SIZE BIT ALIGN PAGE_SIZE",
}


if NET_FLAGS is None:
    SOURCE, FLAGS = "#include <tensortap/tensortap.hpp>\n", []
else:
    SOURCE, FLAGS = "#include <tensortap/tensortap.hpp>\n#include <tensortap/net.hpp>\n", shlex.split(NET_FLAGS)


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


def compiled(source, *flags):
    return subprocess.run([*COMPILE, *FLAGS, *flags], input=source, capture_output=True, text=True)


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


if __name__ == "__main__":
    unittest.main()
