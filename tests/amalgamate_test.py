#!/usr/bin/env python3
"""Tests single_include/amalgamate.py on small trees."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "single_include" / "amalgamate.py"


class AmalgamateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.include = Path(folder.name) / "include"
        self.output = Path(folder.name) / "single" / "tensortap.hpp"

    def write(self, name, *lines):
        path = self.include / "tensortap" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["#pragma once", *lines, ""]))

    def run_script(self, *options):
        command = [sys.executable, "-B", SCRIPT, "--include", self.include, "--output", self.output.parent, *options]
        return subprocess.run(command, capture_output=True, text=True)

    def test_each_header_once_after_what_it_includes(self):
        self.write("tensortap.hpp", "#include <tensortap/b.hpp>", "#include <tensortap/a.hpp>")
        self.write("b.hpp", "#include <vector>", "", "#include <tensortap/a.hpp>", "int b;")
        self.write("a.hpp", "#include <array>", "#include <nlohmann/json.hpp>", "int a;")
        self.assertEqual(self.run_script().returncode, 0)
        lines = self.output.read_text().splitlines()
        self.assertEqual([line for line in lines if line.startswith("int")], ["int a;", "int b;"])
        self.assertEqual(
            [line for line in lines if line.startswith("#")],
            ["#pragma once", "#include <nlohmann/json.hpp>", "#include <array>", "#include <vector>"],
        )

    def test_the_network_is_a_file_of_its_own(self):
        self.write("tensortap.hpp", "#include <tensortap/a.hpp>")
        self.write("net.hpp", "#include <tensortap/tensortap.hpp>", "#include <tensortap/b.hpp>")
        self.write("a.hpp", "#include <array>", "int a;")
        self.write("b.hpp", "#include <httplib.h>", "", "#include <tensortap/a.hpp>", "int b;")
        self.assertEqual(self.run_script().returncode, 0)
        lines = self.output.with_name("net.hpp").read_text().splitlines()
        self.assertEqual(
            [line for line in lines if line.startswith(("#", "int"))],
            ["#pragma once", "#include <tensortap/tensortap.hpp>", "#include <httplib.h>", "int b;"],
        )
        self.assertNotIn("int b;", self.output.read_text())

    def test_a_condition_around_a_header_of_others_stays(self):
        condition = ["#if defined(__x86_64__)", "#include <immintrin.h>", "#endif"]
        self.write("tensortap.hpp", *condition)
        self.assertEqual(self.run_script().returncode, 0)
        self.assertIn("\n".join(condition), self.output.read_text())

    def test_bodies_are_behind_a_condition_after_all_doors(self):
        tail = ["#if TENSORTAP_WITH_BODIES", "#include <tensortap/internal/a_impl.hpp>", "#endif"]
        self.write("tensortap.hpp", "#include <tensortap/a.hpp>", "#include <tensortap/b.hpp>")
        self.write("a.hpp", "#include <string>", "int a;", *tail)
        self.write("b.hpp", "int b;")
        self.write("internal/a_impl.hpp", "#include <regex>", "#include <tensortap/a.hpp>", "#include <tensortap/internal/room.hpp>", "int a_body;")
        self.write("internal/room.hpp", "#include <string>", "int room;")
        self.assertEqual(self.run_script().returncode, 0)
        lines = [line for line in self.output.read_text().splitlines() if line.startswith(("#", "int"))]
        self.assertEqual(
            lines,
            ["#pragma once", "#include <string>", "int a;", "int b;", "#if TENSORTAP_WITH_BODIES", "#include <regex>", "int room;",
             "int a_body;", "#endif  // TENSORTAP_WITH_BODIES"],
        )

    def test_a_door_that_only_bodies_include_is_refused(self):
        tail = ["#if TENSORTAP_WITH_BODIES", "#include <tensortap/internal/{}_impl.hpp>", "#endif"]
        self.write("tensortap.hpp", "#include <tensortap/a.hpp>")
        self.write("a.hpp", *(line.format("a") for line in tail))
        self.write("b.hpp", *(line.format("b") for line in tail))
        self.write("internal/a_impl.hpp", "#include <tensortap/b.hpp>")
        self.assertIn("tensortap/b.hpp: a door of the bodies only", self.run_script().stderr)

    def test_check_sees_a_stale_file(self):
        self.write("tensortap.hpp", "int a;")
        self.assertIn("is stale", self.run_script("--check").stderr)
        self.run_script()
        self.assertEqual(self.run_script("--check").returncode, 0)
        self.write("tensortap.hpp", "int b;")
        self.assertEqual(self.run_script("--check").returncode, 1)

    def test_a_condition_around_our_own_header_is_refused(self):
        self.write("tensortap.hpp", "#ifdef FAST", "#include <tensortap/a.hpp>", "#endif")
        self.write("a.hpp")
        self.assertIn("tensortap.hpp:3: tensortap/a.hpp is included under a condition", self.run_script().stderr)

    def test_a_circle_is_refused(self):
        self.write("tensortap.hpp", "#include <tensortap/a.hpp>")
        self.write("a.hpp", "#include <tensortap/b.hpp>")
        self.write("b.hpp", "#include <tensortap/a.hpp>")
        self.assertIn("a circle: ", self.run_script().stderr)
        self.assertFalse(self.output.exists())

    def test_a_missing_header_is_refused(self):
        self.write("tensortap.hpp", "#include <tensortap/gone.hpp>")
        self.assertIn("tensortap/gone.hpp does not exist", self.run_script().stderr)


if __name__ == "__main__":
    unittest.main()
