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

    def test_what_speaks_to_a_network_is_a_file_of_its_own(self):
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
