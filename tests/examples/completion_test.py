#!/usr/bin/env python3
"""The completions and the manual that the command-line tool writes: shells and formatters that others have written take
them, and they have every command and option of --help.

TENSORTAP_COMMAND names the program.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

COMMAND = os.environ.get("TENSORTAP_COMMAND")


def call(*arguments, code=0):
    result = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout if code == 0 else result.stderr


def commands():
    return re.findall(r"^  ([a-z]+) ", call("--help").split("Subcommands:")[1].split("Examples:")[0], re.M)


def options(command):
    text = re.split(r"^Examples:", call(*([command] if command else []), "--help"), flags=re.M)[0]
    return {name for line in re.findall(r"^  ((?:-{1,2}[\w-]+,?)+)", text, re.M) for name in line.split(",")} | \
        set(re.findall(r"^ {4,6}(--[\w-]+)", text, re.M))


class Shell:
    """An interactive shell on a pseudo terminal."""

    def __init__(self, folder, *words):
        self.master, slave = pty.openpty()
        environment = {"PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(folder), "PS1": "$ "}
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder, start_new_session=True)
        os.close(slave)

    def type(self, text, wanted):
        """Types text, and returns what the shell prints up to `wanted`, or within 20 s."""
        os.write(self.master, text.encode())
        said, end = "", time.monotonic() + 20
        while wanted not in said and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                said += os.read(self.master, 65536).decode(errors="replace")
        return said

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class CompletionTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def script(self, shell, name):
        path = self.folder / name
        path.write_text(call("completion", shell), encoding="utf-8")
        return path

    def test_bash_completes_words(self):
        script = self.script("bash", "tensortap.bash")
        driver = self.folder / "driver"
        driver.write_text('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tensortap; printf "%s\\n" "${COMPREPLY[@]}"\n',
                          encoding="utf-8")

        def completed(*words):
            result = subprocess.run(["bash", "--norc", driver, script, "tensortap", *words], capture_output=True, text=True, check=True)
            self.assertEqual(result.stderr, "")
            return result.stdout.split()

        self.assertEqual(set(completed("")), set(commands()))
        self.assertEqual(completed("sho"), ["show"])
        self.assertEqual(completed("--region", "x", "sho"), ["show"])
        for command in ["", *commands()]:
            self.assertEqual(set(completed(*([command] if command else []), "-")), options(command), command)
        self.assertEqual(completed("show", "run", "--mode", "E"), ["EVAL"])
        self.assertEqual(completed("show", "run", "--mode", "=", "E"), ["EVAL"])
        self.assertEqual(completed("show", "run", "--mode", "="), ["TRAIN", "EVAL", "PREDICT", "GLOBAL"])
        self.assertIn("VanishingGradient", completed("judge", "run", "--rule", "Van"))
        self.assertEqual(completed("rules", "ExplodingT"), ["ExplodingTensor"])
        self.assertEqual(completed("show", "run", "--step", "1"), [])
        self.assertEqual(completed("train", "--", "./train", "--f"), [])

    def test_bash_completes_what_is_typed(self):
        self.script("bash", "tensortap.bash")
        (self.folder / "some_run").mkdir()
        shell = Shell(self.folder, "bash", "--norc", "--noprofile", "-i")
        self.addCleanup(shell.close)
        shell.type("source ./tensortap.bash; echo rea''dy\n", "ready")
        self.assertIn("tensortap show ", shell.type("tensortap sho\t", "tensortap show "))
        self.assertIn("some_run/", shell.type("some_r\t", "some_run/"))
        self.assertIn("--mode=EVAL", shell.type(" --mode=EV\t", "--mode=EVAL"))

    @unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
    def test_zsh_completes_what_is_typed(self):
        self.script("zsh", "_tensortap")
        (self.folder / "some_run").mkdir()
        shell = Shell(self.folder, "zsh", "-f", "-i")
        self.addCleanup(shell.close)
        shell.type("unsetopt zle_bracketed_paste; fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; echo rea''dy\n", "ready")
        for typed, wanted in (("tensortap sho\t", "show "), ("some_r\t", "some_run/"), (" --mo\t", "--mode="), ("EV\t", "EVAL")):
            self.assertIn(wanted.strip(), shell.type(typed, wanted.strip()))
        shell.type("\x15echo again\n", "again\r\n")
        text = shell.type("tensortap \t", "watch")
        for command in commands():
            self.assertIn(command, text)

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_fish_completes_words(self):
        script = self.script("fish", "tensortap.fish")

        def completed(line):
            result = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True, text=True,
                                    check=True, env={**os.environ, "HOME": str(self.folder)})
            self.assertEqual(result.stderr, "")
            return [one.partition("\t")[0] for one in result.stdout.splitlines()]

        self.assertEqual(set(completed("tensortap ")), set(commands()))
        self.assertEqual(completed("tensortap sho"), ["show"])
        for command in commands():
            long = {name for name in options(command) if name.startswith("--")}
            self.assertEqual({one for one in completed(f"tensortap {command} --") if one.startswith("--")}, long, command)
        self.assertEqual(set(completed("tensortap show run --mode ")), {"TRAIN", "EVAL", "PREDICT", "GLOBAL"})
        self.assertEqual(completed("tensortap rules ExplodingT"), ["ExplodingTensor"])

    def test_another_shell_is_refused(self):
        self.assertIn("no such shell is known", call("completion", "sh", code=2))


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class ManualTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        call("man", "--into", self.folder)
        self.pages = sorted(self.folder.iterdir())

    def test_each_command_has_a_page(self):
        self.assertEqual([page.name for page in self.pages],
                         sorted(["tensortap.1", *(f"tensortap-{command}.1" for command in commands())]))
        self.assertEqual(call("man", "show"), (self.folder / "tensortap-show.1").read_text(encoding="utf-8"))
        self.assertEqual(call("man"), (self.folder / "tensortap.1").read_text(encoding="utf-8"))
        self.assertIn("no command is called", call("man", "nothing", code=2))

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_mandoc_takes_them(self):
        for page in self.pages:
            result = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True)
            said = [line for line in result.stdout.splitlines() if "missing date" not in line]  # the same build, the same page
            self.assertEqual(said, [])

    @unittest.skipUnless(shutil.which("man"), "there is no man")
    def test_man_takes_them_and_shows_all_options(self):
        for page in self.pages:
            result = subprocess.run(["man", "--warnings", "--local-file", page], capture_output=True, text=True,
                                    env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "", "MANPAGER": "cat"})
            self.assertEqual(result.stderr, "", page.name)
            text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", result.stdout)
            command = page.stem.partition("-")[2]
            for name in options(command) if command else commands():
                self.assertIn(name, text, page.name)
            self.assertIn("EXAMPLES", text)
            self.assertIn("EXIT STATUS", text)
            help_text = call(*([command] if command else []), "--help")
            for line in help_text.split("Examples:\n")[1].split("\n\n")[0].splitlines():
                self.assertIn(line.strip(), text)


if __name__ == "__main__":
    unittest.main()
