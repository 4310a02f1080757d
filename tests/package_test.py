#!/usr/bin/env python3
"""What a packager needs: an install that may be moved, components with clear errors, versions, pkg-config for each part.

Most tests install the headers alone, which builds nothing. TENSORTAP_BUILD_DIR names a built folder; without it, the
tests of the compiled library are skipped. CXX as in readme_test.py.
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
BUILT = os.environ.get("TENSORTAP_BUILD_DIR")
CXX = os.environ.get("CXX", "c++")
VERSION = re.search(r'"([0-9.]+)"', (ROOT / "include/tensortap/version.hpp").read_text(encoding="utf-8"))[1]
NEXT_MINOR = "{}.{}".format(*(int(part) + add for part, add in zip(VERSION.split("."), (0, 1))))
MULTIARCH = subprocess.run([CXX, "-print-multiarch"], capture_output=True, text=True).stdout.strip()
NO_PARTS = [f"-DTENSORTAP_BUILD_{part}=OFF" for part in ("TESTS", "EXAMPLES", "BENCHMARKS")]


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **more)


def must(*command, **more):
    result = run(*command, **more)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result.stdout


def configure(build, *options):
    """Configures without the compiled library: then an install builds nothing."""
    must("cmake", "-S", ROOT, "-B", build, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={CXX}", *NO_PARTS, *options)


def staged(build, stage, prefix, *options):
    """Installs below DESTDIR, moves what is there to another place, and returns that place."""
    moved = stage / "moved to here"
    must("cmake", "--install", build, "--prefix", prefix, *options, env={**os.environ, "DESTDIR": str(stage / "dest")})
    shutil.move(stage / "dest" / prefix.lstrip("/"), moved)
    return moved


def find_package(prefix, arguments):
    """Configures a project that calls find_package(tensortap arguments). Returns its exit status and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "CMakeLists.txt"
        project.write_text(f"""cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(tensortap {arguments})
foreach(name IN ITEMS "" net_ compiled_ tea_)
  message(STATUS "tensortap_${{name}}FOUND=$<${{tensortap_${{name}}FOUND}}>")
endforeach()
foreach(target IN ITEMS tensortap net compiled)
  if(TARGET tensortap::${{target}})
    message(STATUS "target ${{target}}")
  endif()
endforeach()
get_target_property(directories tensortap::tensortap INTERFACE_INCLUDE_DIRECTORIES)
message(STATUS "headers in ${{directories}}")
""", encoding="utf-8")
        result = run("cmake", "-S", folder, "-B", Path(folder) / "build", "-G", "Ninja",
                     f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_PREFIX_PATH={prefix}")
        return result.returncode, re.sub(r"\s+", " ", result.stdout + result.stderr)


def pkg_config(prefix, *arguments):
    folders = [str(folder) for folder in prefix.rglob("pkgconfig")]
    return run("pkg-config", *arguments, env={**os.environ, "PKG_CONFIG_PATH": ":".join(folders)})


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
class Headers(unittest.TestCase):
    """An install of the headers alone."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        stage = Path(cls.folder.name)
        cls.build = stage / "build"
        libdir = f"lib/{MULTIARCH}".rstrip("/")
        configure(cls.build, "-DTENSORTAP_BUILD_COMPILED=OFF", f"-DCMAKE_INSTALL_LIBDIR={libdir}")
        cls.net = (cls.build / "tensortap-net.pc").exists()
        cls.prefix = staged(cls.build, stage, "/usr")
        cls.packages = cls.prefix / libdir / "cmake/tensortap"

    def test_nothing_was_built(self):
        self.assertFalse(list(self.build.rglob("*.o")))
        self.assertFalse((self.prefix / "bin").exists())

    def test_every_header_is_installed_and_nothing_else(self):
        installed = {path.relative_to(self.prefix / "include") for path in (self.prefix / "include").rglob("*.*")}
        self.assertEqual(installed, {path.relative_to(ROOT / "include") for path in (ROOT / "include").rglob("*.hpp")})
        self.assertIn(Path("tensortap/adapters/xtensor.hpp"), installed)

    def test_no_file_names_a_folder_of_this_machine(self):
        for path in self.prefix.rglob("*.*"):
            if path.suffix in (".cmake", ".pc"):
                text = path.read_text(encoding="utf-8")
                for folder in (ROOT, self.folder.name, "/usr/include"):
                    self.assertNotIn(str(folder), text, path.name)

    def test_a_moved_package_is_found_in_its_multiarch_folder(self):
        rc, says = find_package(self.prefix, "CONFIG REQUIRED")
        self.assertEqual(rc, 0, says)
        self.assertIn(f"headers in {self.prefix}/include", says)
        self.assertIn("target tensortap", says)
        self.assertNotIn("target compiled", says)
        self.assertEqual("target net" in says, self.net)

    def test_versions(self):
        major_minor = VERSION.rsplit(".", 1)[0]
        for version, fits in ((major_minor, True), (VERSION, True), (f"{VERSION} EXACT", True), (NEXT_MINOR, False),
                              (f"{major_minor}.99", False), ("0.0", False), ("1.0", False)):
            with self.subTest(version=version):
                rc, says = find_package(self.prefix, f"{version} CONFIG REQUIRED")
                self.assertEqual(rc == 0, fits, says)
                if not fits:
                    self.assertIn(f"version: {VERSION}", says)

    def test_an_unknown_component_is_an_error_that_names_the_others(self):
        rc, says = find_package(self.prefix, "CONFIG REQUIRED COMPONENTS tea")
        self.assertNotEqual(rc, 0)
        self.assertIn("there is no component tea, only compiled, net", says)

    def test_a_component_that_was_not_installed_is_an_error_that_says_what_to_do(self):
        rc, says = find_package(self.prefix, "CONFIG REQUIRED COMPONENTS compiled tea")
        self.assertNotEqual(rc, 0)
        self.assertIn("component compiled needs a tensortap that was installed with TENSORTAP_BUILD_COMPILED=ON", says)
        self.assertIn("there is no component tea", says)

    def test_without_required_the_package_is_only_not_found(self):
        rc, says = find_package(self.prefix, "CONFIG QUIET COMPONENTS compiled")
        self.assertIn("tensortap_FOUND=$<0>", says)

    def test_optional_components(self):
        rc, says = find_package(self.prefix, "CONFIG REQUIRED OPTIONAL_COMPONENTS compiled tea net")
        self.assertEqual(rc, 0, says)
        self.assertIn("tensortap_compiled_FOUND=$<FALSE>", says)
        self.assertIn("tensortap_tea_FOUND=$<FALSE>", says)
        self.assertIn(f"tensortap_net_FOUND=$<{'TRUE' if self.net else 'FALSE'}>", says)

    def test_without_net_the_component_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            stage = Path(folder)
            configure(stage / "build", "-DTENSORTAP_BUILD_COMPILED=OFF", "-DTENSORTAP_NET=OFF")
            prefix = staged(stage / "build", stage, "/usr")
            rc, says = find_package(prefix, "CONFIG REQUIRED COMPONENTS net")
            self.assertNotEqual(rc, 0)
            self.assertIn("component net needs a tensortap that was installed with TENSORTAP_NET=ON", says)
            self.assertFalse(list(prefix.rglob("tensortap-net*")))

    def test_pkg_config(self):
        flags = pkg_config(self.prefix, "--cflags", "tensortap").stdout
        self.assertIn("moved", flags)
        self.assertEqual(pkg_config(self.prefix, "--modversion", "tensortap").stdout.strip(), VERSION)
        self.assertNotEqual(pkg_config(self.prefix, "--exists", "tensortap-compiled").returncode, 0)
        if self.net:
            result = pkg_config(self.prefix, "--libs", "tensortap-net")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("-ltensortap", result.stdout)
            self.assertIn("-lssl", result.stdout)


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
class Directories(unittest.TestCase):
    """The package files name directories that exist, whatever the install directories are."""

    def packages(self, **directories):
        """Configures with these install directories. Returns the texts of the pkg-config files and of the targets."""
        with tempfile.TemporaryDirectory() as build:
            configure(build, *(f"-DCMAKE_INSTALL_{name}={directory}" for name, directory in directories.items()))
            (targets,) = Path(build).glob("CMakeFiles/Export/**/tensortap-targets.cmake")
            texts = {path.name: path.read_text(encoding="utf-8") for path in Path(build).glob("*.pc")}
            return texts, targets.read_text(encoding="utf-8")

    def test_relative_directories_can_be_moved(self):
        pc, targets = self.packages(INCLUDEDIR="include", DATADIR="lib/deep/share", LIBDIR="lib/some-arch")
        self.assertIn("prefix=${pcfiledir}/../../../..\n", pc["tensortap.pc"])
        self.assertIn("includedir=${prefix}/include\n", pc["tensortap.pc"])
        self.assertIn("prefix=${pcfiledir}/../../..\nlibdir=${prefix}/lib/some-arch\n", pc["tensortap-compiled.pc"])
        self.assertIn('INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include"', targets)

    def test_absolute_directories_stay(self):
        pc, targets = self.packages(INCLUDEDIR="/opt/tensortap/headers", LIBDIR="/opt/tensortap/lib")
        self.assertIn("includedir=/opt/tensortap/headers\n", pc["tensortap.pc"])
        self.assertIn("libdir=/opt/tensortap/lib\n", pc["tensortap-compiled.pc"])
        self.assertIn('INTERFACE_INCLUDE_DIRECTORIES "/opt/tensortap/headers"', targets)

    def test_the_compiled_library_is_static_by_decision(self):
        with tempfile.TemporaryDirectory() as build:
            configure(build, "-DBUILD_SHARED_LIBS=ON")
            targets = must("ninja", "-C", build, "-t", "targets", "all")
        self.assertIn("libtensortap.a:", targets)
        self.assertNotIn("libtensortap.so", targets)


@unittest.skipUnless(BUILT and not os.environ.get("CXXFLAGS"), "no TENSORTAP_BUILD_DIR, or nlohmann/json was fetched into it")
class Compiled(unittest.TestCase):
    """An install of a build folder, with the compiled library and the tool."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.stage = Path(cls.folder.name)
        cls.prefix = staged(BUILT, cls.stage, "/usr", "--component", "dev")
        cls.net = bool(list(cls.prefix.rglob("tensortap-net.pc")))

    def test_the_components_of_an_install_are_dev_and_tool(self):
        self.assertFalse((self.prefix / "bin").exists())
        everything = must("cmake", "--install", BUILT, "--prefix", self.stage / "all").splitlines()
        dev = must("cmake", "--install", BUILT, "--prefix", self.stage / "dev", "--component", "dev").splitlines()
        tool = must("cmake", "--install", BUILT, "--prefix", self.stage / "tool", "--component", "tool").splitlines()

        def files(folder):
            return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}

        self.assertEqual(files(self.stage / "dev") | files(self.stage / "tool"), files(self.stage / "all"))
        self.assertFalse(files(self.stage / "dev") & files(self.stage / "tool"))
        self.assertTrue(everything and dev and tool)
        if os.environ.get("TENSORTAP_COMMAND"):
            self.assertIn(Path("bin/tensortap"), files(self.stage / "tool"))
            self.assertIn(VERSION, must(self.stage / "tool/bin/tensortap", "--version"))
            for name in ("man/man1/tensortap-show.1", "bash-completion/completions/tensortap", "zsh/site-functions/_tensortap",
                         "fish/vendor_completions.d/tensortap.fish"):
                self.assertIn(Path("share") / name, files(self.stage / "tool"))

    def test_components(self):
        wanted = "compiled net" if self.net else "compiled"
        rc, says = find_package(self.prefix, f"CONFIG REQUIRED COMPONENTS {wanted}")
        self.assertEqual(rc, 0, says)
        self.assertIn("tensortap_compiled_FOUND=$<TRUE>", says)
        self.assertIn("target compiled", says)
        rc, says = find_package(self.prefix, "CONFIG REQUIRED COMPONENTS compiled")
        self.assertNotIn("target net", says)

    def test_pkg_config_links_the_library_in_any_order(self):
        names = [["tensortap-compiled"]]
        if self.net:
            names += [["tensortap-compiled", "tensortap-net"], ["tensortap-net", "tensortap-compiled"]]
        for number, packages in enumerate(names):
            with self.subTest(packages=packages):
                flags = pkg_config(self.prefix, "--cflags", "--libs", *packages)
                self.assertEqual(flags.returncode, 0, flags.stderr)
                source = ROOT / "tests/consume" / ("bucket.cpp" if number else "main.cpp")
                program = self.stage / f"program{number}"
                must(CXX, "-std=c++20", source, "-o", program, *shlex.split(flags.stdout))
                must(program)


if __name__ == "__main__":
    unittest.main()
