"""A recipe of Conan 2 for tensortap: `conan create examples/packaging/conan`, from a copy of the repository."""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir


class TensortapConan(ConanFile):
    name = "tensortap"
    description = "Taps the tensors of a training loop and keeps what matters"
    license = "MIT"
    homepage = "https://github.com/tensortap/tensortap"
    topics = ("machine-learning", "training", "debugging", "smdebug")
    settings = "os", "arch", "compiler", "build_type"
    options = {"compiled": [True, False], "net": [True, False], "tool": [True, False], "fPIC": [True, False]}
    default_options = {"compiled": True, "net": False, "tool": False, "fPIC": True, "cpp-httplib/*:with_openssl": True}
    package_type = "static-library"

    def set_version(self):
        header = load(self, os.path.join(self._root(), "include", "tensortap", "version.hpp"))
        self.version = re.search(r'TENSORTAP_VERSION "([0-9.]+)"', header)[1]

    def _root(self):
        return os.path.join(self.recipe_folder, os.pardir, os.pardir, os.pardir)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "CHANGELOG.md", "include/*", "examples/*"):
            copy(self, pattern, self._root(), self.export_sources_folder)

    def config_options(self):
        if self.settings.os != "Linux":
            del self.options.fPIC

    def configure(self):
        if not self.options.compiled:
            self.package_type = "header-library"
            self.options.rm_safe("fPIC")

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("tensortap needs Linux")
        if self.options.tool and not self.options.compiled:
            raise ConanInvalidConfiguration("the tool needs the option compiled")
        check_min_cppstd(self, 20)

    def requirements(self):
        self.requires("nlohmann_json/[>=3.10 <4]", transitive_headers=True)
        if self.options.net:
            self.requires("cpp-httplib/[>=0.11 <1]", transitive_headers=True)
            self.requires("pugixml/[>=1.11 <2]", transitive_headers=True)
        if self.options.net or self.options.tool:
            self.requires("openssl/[>=1.1 <4]", transitive_headers=True)
        if self.options.tool:
            self.requires("cli11/[>=2 <3]")

    def layout(self):
        cmake_layout(self)

    def package_id(self):
        if not self.options.compiled:
            self.info.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["TENSORTAP_BUILD_COMPILED"] = bool(self.options.compiled)
        toolchain.cache_variables["TENSORTAP_NET"] = "ON" if self.options.net else "OFF"
        toolchain.cache_variables["TENSORTAP_BUILD_TOOL"] = bool(self.options.tool)
        for part in ("TESTS", "EXAMPLES", "BENCHMARKS"):
            toolchain.cache_variables[f"TENSORTAP_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan's generators write the files for CMake and pkg-config of the consumer.
        for folder in ("lib/cmake", "lib/pkgconfig", "share") if self.options.compiled else ("lib", "share"):
            rmdir(self, os.path.join(self.package_folder, folder))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "tensortap")
        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "tensortap::tensortap")
        core.set_property("pkg_config_name", "tensortap")
        core.requires = ["nlohmann_json::nlohmann_json"]
        core.system_libs = ["pthread"]
        core.libdirs = []
        core.bindirs = ["bin"] if self.options.tool else []
        bodies = []
        if self.options.compiled:
            # The library by itself, behind tensortap-net: programs that are header-only take nothing of it.
            self.cpp_info.components["bodies"].libs = ["tensortap"]
            self.cpp_info.components["bodies"].requires = ["core"]
            bodies = ["bodies"]
            compiled = self.cpp_info.components["compiled"]
            compiled.set_property("cmake_target_name", "tensortap::compiled")
            compiled.set_property("pkg_config_name", "tensortap-compiled")
            compiled.defines = ["TENSORTAP_COMPILED"]
            compiled.requires = ["core", *bodies]
        if self.options.net:
            net = self.cpp_info.components["net"]
            net.set_property("cmake_target_name", "tensortap::net")
            net.set_property("pkg_config_name", "tensortap-net")
            net.libs = ["tensortap-net"] if self.options.compiled else []
            net.requires = ["core", *bodies, "cpp-httplib::cpp-httplib", "openssl::ssl", "openssl::crypto", "pugixml::pugixml"]
        if self.options.tool and not self.options.net:
            self.cpp_info.components["tool"].requires = ["core", "openssl::crypto", "cli11::cli11"]
        elif self.options.tool:
            self.cpp_info.components["tool"].requires = ["core", "cli11::cli11"]
