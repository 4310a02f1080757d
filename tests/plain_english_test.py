#!/usr/bin/env python3
"""Comments, messages and pages are written in plain English: these words do not occur.

The list holds the phrases that made this code hard to read once: persons for processes, and riddles for nouns.
"""
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = re.compile(
    r"\b(whoever|whomever|nobody|somebody|someone|anybody|whose turn|as it was|it is to be|is to be told|hears? of|"
    r"any more it|what is not|goes in circles|is no word|nothing goes over|falls? silent|he|him|his|she|her)\b",
    re.IGNORECASE,
)
SUFFIXES = {".hpp", ".cpp", ".py", ".md", ".txt", ".cmake", ""}
FOLDERS = ("include", "tests", "examples", "benchmarks", "single_include")
GENERATED_OR_FOREIGN = ("tests/data/", "single_include/tensortap/")


def found_in(path):
    """(line number, word) of each word of the list."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        for match in WORDS.finditer(line):
            yield number, match[0]


def pages_and_sources():
    for path in sorted(ROOT.glob("*.md")) + [ROOT / "CMakeLists.txt"]:
        yield path
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            relative = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix in SUFFIXES and not relative.startswith(GENERATED_OR_FOREIGN):
                yield path


class PlainEnglishTest(unittest.TestCase):
    def test_the_words_do_not_occur(self):
        files = [path for path in pages_and_sources() if path != Path(__file__).resolve()]
        self.assertGreater(len(files), 200)
        found = [f"{path.relative_to(ROOT)}:{number}: {word}" for path in files for number, word in found_in(path)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_the_list_finds_them(self):
        for text in ("whoever holds it", "Nobody waits", "what is not due", "as it was before"):
            self.assertTrue(WORDS.search(text), text)
        for text in ("the header", "there", "this"):
            self.assertFalse(WORDS.search(text), text)


if __name__ == "__main__":
    sys.exit(unittest.main())
