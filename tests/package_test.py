#!/usr/bin/env python3
"""The package files name directories that exist, whatever CMAKE_INSTALL_INCLUDEDIR and CMAKE_INSTALL_DATADIR are."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def packages(**directories):
    """Configures with these install directories. Returns the text of tensortap.pc and of the exported targets."""
    with tempfile.TemporaryDirectory() as build:
        options = [f"-DTENSORTAP_BUILD_{part}=OFF" for part in ("TESTS", "EXAMPLES", "BENCHMARKS")]
        options += [f"-DCMAKE_INSTALL_{name}={directory}" for name, directory in directories.items()]
        subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DTENSORTAP_NET=OFF", *options],
                       check=True, capture_output=True)
        (targets,) = Path(build).glob("CMakeFiles/Export/**/tensortap-targets.cmake")
        return (Path(build) / "tensortap.pc").read_text(encoding="utf-8"), targets.read_text(encoding="utf-8")


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
class Packages(unittest.TestCase):
    def test_relative_directories_can_be_moved(self):
        pc, targets = packages(INCLUDEDIR="include", DATADIR="lib/deep/share")
        self.assertIn("prefix=${pcfiledir}/../../../..\n", pc)
        self.assertIn("includedir=${prefix}/include\n", pc)
        self.assertIn('INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include"', targets)

    def test_absolute_directories_stay(self):
        pc, targets = packages(INCLUDEDIR="/opt/tensortap/headers")
        self.assertIn("includedir=/opt/tensortap/headers\n", pc)
        self.assertIn('INTERFACE_INCLUDE_DIRECTORIES "/opt/tensortap/headers"', targets)


if __name__ == "__main__":
    unittest.main()
