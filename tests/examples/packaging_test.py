#!/usr/bin/env python3
"""The packages of examples/packaging/: a port for vcpkg, a recipe for Conan, and Debian's, by CPack.

vcpkg and Conan are not needed: vcpkg_stand_in.cmake and the stand-in for Conan's modules below play their steps with the
real port and the real recipe. TENSORTAP_BUILD_DIR names a built folder, whose libraries and tool are packed; without it,
the packages of the headers alone are tested. CXX as in readme_test.py.
"""
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGING = ROOT / "examples/packaging"
BUILT = os.environ.get("TENSORTAP_BUILD_DIR")
CXX = os.environ.get("CXX", "c++")
VERSION = re.search(r'"([0-9.]+)"', (ROOT / "include/tensortap/version.hpp").read_text(encoding="utf-8"))[1]
HAS_TOOL = bool(BUILT) and (Path(BUILT) / "examples/tensortap/tensortap").exists()
HAS_NET = bool(BUILT) and (Path(BUILT) / "tensortap-net.pc").exists()


def must(*command, **more):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **more)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result.stdout


def source_copy(folder):
    """Copies what a release has to `folder`: an install must need nothing else."""
    for name in ("CMakeLists.txt", "LICENSE", "CHANGELOG.md", "README.md"):
        shutil.copy2(ROOT / name, folder)
    for name in ("include", "examples", "single_include"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def lend_libraries(build):
    """Puts the libraries and the tool of TENSORTAP_BUILD_DIR where the build folder `build` would have them."""
    (Path(build) / "examples/tensortap").mkdir(parents=True, exist_ok=True)
    for path in [*Path(BUILT).glob("*.a"), Path(BUILT) / "examples/tensortap/tensortap"]:
        if path.exists():
            shutil.copy2(path, Path(build) / path.relative_to(BUILT))
    if (Path(BUILT) / "examples/tensortap/written").exists():  # its pages and completions
        shutil.copytree(Path(BUILT) / "examples/tensortap/written", Path(build) / "examples/tensortap/written")


def find_and_link(test, prefix, folder, targets, source="main.cpp"):
    """Builds and runs a program with find_package."""
    (folder / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
set(CMAKE_CXX_FLAGS -O0)
find_package(tensortap CONFIG REQUIRED)
add_executable(consumer {ROOT / "tests/consume" / source})
target_link_libraries(consumer PRIVATE {targets})
""", encoding="utf-8")
    must("cmake", "-S", folder, "-B", folder / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
         f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_PREFIX_PATH={prefix}")
    must("cmake", "--build", folder / "build")
    must(folder / "build/consumer")


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "source").mkdir()
        self.source = source_copy(self.folder / "source")

    def assert_no_absolute_path(self, prefix):
        for path in prefix.rglob("*.*"):
            if path.suffix in (".cmake", ".pc"):
                text = path.read_text(encoding="utf-8")
                for folder in (self.folder, ROOT):
                    self.assertNotIn(str(folder), text, path)


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
class Vcpkg(Folder):
    PORT = PACKAGING / "vcpkg"

    def setUp(self):
        super().setUp()
        self.manifest = json.loads((self.PORT / "vcpkg.json").read_text(encoding="utf-8"))

    def package(self, *features):
        package = self.folder / "package"
        must("cmake", f"-DPORT={self.PORT}", f"-DSOURCE={self.source}", f"-DFEATURES={';'.join(features)}",
             f"-DWORK={self.folder}", f"-DCURRENT_PACKAGES_DIR={package}", f"-DBUILT={BUILT or self.folder / 'none'}",
             f"-DVERSION={self.manifest['version-semver']}", f"-DCXX={CXX}",
             "-P", ROOT / "tests/examples/vcpkg_stand_in.cmake")
        shutil.move(package, self.folder / "installed")
        return self.folder / "installed"

    def test_the_manifest_says_what_the_library_is(self):
        cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertEqual(self.manifest["version-semver"], VERSION)
        self.assertIn(f'DESCRIPTION "{self.manifest["description"]}"', cmake)
        self.assertIn(f'HOMEPAGE_URL {self.manifest["homepage"]}\n', cmake)
        self.assertTrue((ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License"))
        self.assertEqual(self.manifest["license"], "MIT")
        mapped = re.search(r"FEATURES\n(.*?)\)", (self.PORT / "portfile.cmake").read_text(encoding="utf-8"), re.S)[1].split()
        self.assertEqual(set(mapped[::2]), set(self.manifest["features"]))
        for option in mapped[1::2]:
            self.assertRegex(cmake, rf"(option|set)\({option} ")

        def names(dependencies):
            return {entry if isinstance(entry, str) else entry["name"] for entry in dependencies}

        self.assertIn("nlohmann-json", names(self.manifest["dependencies"]))
        self.assertEqual(names(self.manifest["features"]["net"]["dependencies"]), {"cpp-httplib", "openssl", "pugixml"})
        self.assertLessEqual({"cli11", "openssl"}, names(self.manifest["features"]["tool"]["dependencies"]))

    def test_headers_alone(self):
        installed = self.package("core")
        self.assertEqual({path.name for path in installed.iterdir()}, {"include", "share"})
        self.assertTrue((installed / "share/tensortap/copyright").read_text().startswith("MIT License"))
        self.assert_no_absolute_path(installed)
        (self.folder / "consumer").mkdir()
        find_and_link(self, installed, self.folder / "consumer", "tensortap::tensortap", "version.cpp")

    @unittest.skipUnless(HAS_NET and HAS_TOOL, "TENSORTAP_BUILD_DIR does not name a folder with all parts")
    def test_all_features(self):
        installed = self.package("core", "compiled", "net", "tool")
        self.assert_no_absolute_path(installed)
        self.assertEqual({path.relative_to(installed).as_posix() for path in installed.rglob("*.a")},
                         {f"{part}lib/{name}.a" for part in ("", "debug/") for name in ("libtensortap", "libtensortap-net")})
        self.assertFalse((installed / "bin").exists() or (installed / "debug/include").exists())
        self.assertIn(VERSION, must(installed / "tools/tensortap/tensortap", "--version"))
        (self.folder / "consumer").mkdir()
        find_and_link(self, installed, self.folder / "consumer", "tensortap::compiled tensortap::net", "bucket.cpp")


class Info(types.SimpleNamespace):
    """Stands for Conan's cpp_info: lists, properties, components."""

    def __init__(self):
        super().__init__(libs=[], requires=[], defines=[], properties={}, components={})

    def set_property(self, name, value):
        self.properties[name] = value


class Components(dict):
    def __missing__(self, name):
        self[name] = Info()
        return self[name]


class Options(types.SimpleNamespace):
    def rm_safe(self, name):
        self.__dict__.pop(name, None)


def conan_modules():
    """Returns modules that stand for those of Conan 2 which the recipe imports."""
    class Conanfile:
        pass

    class Toolchain:
        def __init__(self, recipe):
            self.recipe, self.cache_variables = recipe, {}

        def generate(self):
            self.recipe.variables = self.cache_variables

    class Deps(Toolchain):
        def generate(self):
            self.recipe.has_dependencies = True

    class CMake:
        def __init__(self, recipe):
            self.recipe = recipe

        def configure(self):
            words = {True: "ON", False: "OFF"}
            must("cmake", "-S", self.recipe.source_folder, "-B", self.recipe.build_folder, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_INSTALL_PREFIX={self.recipe.package_folder}",
                 "-DCMAKE_INSTALL_LIBDIR=lib", *(f"-D{name}={words.get(value, value)}" for name, value in self.recipe.variables.items()))

        def build(self):
            if BUILT and self.recipe.options.compiled:
                lend_libraries(self.recipe.build_folder)

        def install(self):
            must("cmake", "--install", self.recipe.build_folder)

    def copy(recipe, pattern, source, to):
        for path in Path(source).glob(pattern):
            Path(to, pattern).parent.mkdir(parents=True, exist_ok=True)
            target = Path(to) / path.relative_to(source)
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)

    def check_min_cppstd(recipe, version):
        if version != 20:
            raise AssertionError(version)

    modules = {
        "conan": dict(ConanFile=Conanfile),
        "conan.errors": dict(ConanInvalidConfiguration=ValueError),
        "conan.tools": {},
        "conan.tools.build": dict(check_min_cppstd=check_min_cppstd),
        "conan.tools.cmake": dict(CMake=CMake, CMakeDeps=Deps, CMakeToolchain=Toolchain, cmake_layout=lambda recipe: None),
        "conan.tools.files": dict(copy=copy, load=lambda recipe, path: Path(path).read_text(encoding="utf-8"),
                                  rmdir=lambda recipe, path: shutil.rmtree(path, ignore_errors=True)),
    }
    out = {}
    for name, members in modules.items():
        out[name] = types.ModuleType(name)
        out[name].__dict__.update(members)
    return out


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
class Conan(Folder):
    def recipe(self, **options):
        with mock.patch.dict(sys.modules, conan_modules()):
            kind = runpy.run_path(str(PACKAGING / "conan/conanfile.py"))["TensortapConan"]
        recipe = kind()
        recipe.recipe_folder = str(PACKAGING / "conan")
        recipe.settings = types.SimpleNamespace(os="Linux")
        recipe.options = Options(**{name: value for name, value in {**kind.default_options, **options}.items() if "/" not in name})
        recipe.info = types.SimpleNamespace(clear=lambda: setattr(recipe, "cleared", True))
        recipe.required = []
        recipe.requires = lambda reference, **traits: recipe.required.append(reference.split("/")[0])
        recipe.cpp_info = Info()
        recipe.cpp_info.components = Components()
        return recipe

    def create(self, recipe):
        """Plays `conan create`."""
        for name in ("export", "build", "package"):
            (self.folder / name).mkdir()
        recipe.export_sources_folder = recipe.source_folder = str(self.folder / "export")
        recipe.build_folder, recipe.package_folder = str(self.folder / "build"), str(self.folder / "package")
        for step in ("set_version", "export_sources", "config_options", "configure", "validate", "requirements", "layout",
                     "package_id", "generate", "build", "package", "package_info"):
            getattr(recipe, step)()
        for component in recipe.cpp_info.components.values():
            for library in component.libs:
                self.assertTrue((self.folder / f"package/lib/lib{library}.a").exists(), library)
            for name in component.requires:
                self.assertTrue("::" in name or name in recipe.cpp_info.components, name)
                self.assertTrue("::" not in name or name.split("::")[0] in recipe.required, name)
        return self.folder / "package"

    def test_headers_alone(self):
        recipe = self.recipe(compiled=False)
        package = self.create(recipe)
        self.assertEqual(recipe.version, VERSION)
        self.assertEqual(recipe.package_type, "header-library")
        self.assertTrue(recipe.cleared)
        self.assertEqual(recipe.required, ["nlohmann_json"])
        self.assertEqual({path.name for path in package.iterdir()}, {"include", "licenses"})
        self.assertEqual(sum(1 for _ in package.rglob("*.hpp")), sum(1 for _ in (ROOT / "include").rglob("*.hpp")))
        self.assertEqual(set(recipe.cpp_info.components), {"core"})

    @unittest.skipUnless(HAS_NET and HAS_TOOL, "TENSORTAP_BUILD_DIR does not name a folder with all parts")
    def test_all_options(self):
        recipe = self.recipe(net=True, tool=True)
        package = self.create(recipe)
        self.assertEqual(set(recipe.required), {"nlohmann_json", "cpp-httplib", "pugixml", "openssl", "cli11"})
        self.assertEqual({path.name for path in package.iterdir()}, {"include", "licenses", "lib", "bin"})
        self.assertEqual({path.name for path in (package / "lib").iterdir()}, {"libtensortap.a", "libtensortap-net.a"})
        targets = {component.properties.get("cmake_target_name") for component in recipe.cpp_info.components.values()}
        aliases = set(re.findall(r"add_library\((tensortap::\w+) ALIAS", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")))
        self.assertEqual(targets - {None}, aliases)
        self.assertEqual(recipe.cpp_info.components["compiled"].defines, ["TENSORTAP_COMPILED"])

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(ValueError, "the tool needs the option compiled"):
            self.recipe(compiled=False, tool=True).validate()
        recipe = self.recipe()
        recipe.settings.os = "Windows"
        with self.assertRaisesRegex(ValueError, "needs Linux"):
            recipe.validate()


@unittest.skipIf(os.environ.get("CXXFLAGS"), "nlohmann/json is fetched: it would be fetched again")
@unittest.skipUnless(HAS_TOOL and shutil.which("dpkg-deb"), "needs TENSORTAP_BUILD_DIR and dpkg-deb")
class Debian(Folder):
    """The packages are made of what is built already; debian_root installs them on a bare system."""

    def setUp(self):
        super().setUp()
        build = self.folder / "build"
        net = f"-DTENSORTAP_NET={'ON' if HAS_NET else 'OFF'}"
        parts = [f"-DTENSORTAP_BUILD_{part}=OFF" for part in ("TESTS", "EXAMPLES", "BENCHMARKS")]
        must("cmake", "-S", self.source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_INSTALL_PREFIX=/usr",
             f"-DCMAKE_CXX_COMPILER={CXX}", "-DTENSORTAP_BUILD_TOOL=ON", net, *parts)
        lend_libraries(build)
        must("cpack", "-G", "DEB", cwd=build, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        self.packages = {path.name.split("_")[0]: path for path in build.glob("*.deb")}

    def field(self, package, name):
        return must("dpkg-deb", "-f", self.packages[package], name).strip()

    def test_packages(self):
        self.assertEqual(set(self.packages), {"libtensortap-dev", "tensortap"})
        for package in self.packages:
            self.assertEqual(self.field(package, "Version"), f"{VERSION}-1")
            self.assertRegex(self.field(package, "Maintainer"), r"^The tensortap authors <.+>$")
            self.assertRegex(self.field(package, "Description"), r"\A[a-z][^\n]{10,79}[^.\n]\n( [^\n]{1,79}\n?)+\Z")
            lines = must("dpkg-deb", "-c", self.packages[package]).splitlines()
            files = {line.split(" ./")[1]: line.split()[:2] for line in lines if not line.endswith("/")}
            for line in lines:
                self.assertIn(" root/root ", line)
                self.assertRegex(line, r"^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) ")
            for name in ("copyright", "changelog.gz", "changelog.Debian.gz"):
                self.assertIn(f"usr/share/doc/{package}/{name}", files)
            if package == "tensortap":
                self.assertEqual(files["usr/bin/tensortap"][0], "-rwxr-xr-x")
                self.assertIn("usr/share/man/man1/tensortap.1.gz", files)
                for name in ("bash-completion/completions/tensortap", "zsh/vendor-completions/_tensortap",
                             "fish/vendor_completions.d/tensortap.fish"):
                    self.assertIn(f"usr/share/{name}", files)
                pages = [name for name in files if name.startswith("usr/share/man/man1/tensortap")]
                self.assertGreater(len(pages), 15)
                self.assertEqual(len(files), 7 + len(pages))
            else:
                headers = {name for name in files if name.startswith("usr/include/")}
                self.assertEqual(len(headers), sum(1 for _ in (ROOT / "include").rglob("*.hpp")))
                self.assertIn("usr/include/tensortap/adapters/xtensor.hpp", headers)
                triplet = must(CXX, "-print-multiarch").strip()
                self.assertIn(f"usr/lib/{triplet}/libtensortap.a", files)
                self.assertIn(f"usr/lib/{triplet}/cmake/tensortap/tensortap-config.cmake", files)
        self.assertEqual(self.field("libtensortap-dev", "Section"), "libdevel")
        depends = self.field("libtensortap-dev", "Depends")
        needs = ["nlohmann-json3-dev", *(["libcpp-httplib-dev", "libssl-dev", "libpugixml-dev"] if HAS_NET else [])]
        self.assertEqual({name.split()[0] for name in depends.split(", ")}, set(needs))
        if shutil.which("dpkg-shlibdeps") and shutil.which("file"):
            self.assertRegex(self.field("tensortap", "Depends"), r"libc6 .*libstdc\+\+6 ")
        with tempfile.TemporaryDirectory() as root:
            must("dpkg-deb", "-x", self.packages["libtensortap-dev"], root)
            self.assert_no_absolute_path(Path(root))
            must("dpkg-deb", "-x", self.packages["tensortap"], root)
            self.assertIn(VERSION, must(Path(root) / "usr/bin/tensortap", "--version"))
            for command in ("judge", "train", "unpack"):
                self.assertIn(".SH SYNOPSIS\n", must("zcat", Path(root) / f"usr/share/man/man1/tensortap-{command}.1.gz"))
            copyright_file = (Path(root) / "usr/share/doc/tensortap/copyright").read_text(encoding="utf-8")
            self.assertIn("\nCopyright: 2026 The tensortap authors\nLicense: Expat\n", copyright_file)


if __name__ == "__main__":
    unittest.main()
