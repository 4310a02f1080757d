#!/usr/bin/env python3
"""`tensortap watch`: on a pseudo terminal, under tmux, and where there is no terminal; beside a run that is being written.

TENSORTAP_COMMAND names the program.
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unicodedata
import unittest
from pathlib import Path

from command_test import COMMAND, GOLDEN, RunFromGolden

PATIENCE = 60  # seconds until something that must happen has not
LOSS = "CrossEntropyLoss_output_0"


class Emulator:
    """A screen of so many columns and rows. Fails for what it does not know."""

    SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")

    def __init__(self, columns, rows):
        self.resize(columns, rows)
        self.cursor_is_shown = True
        self.alternate = False
        self.normal = []
        self.clears = 0

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0

    def text(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text):
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = self.SEQUENCE.match(text, at)
                assert found, f"an unknown sequence: {text[at:at + 20]!r}"
                self.control(*found.groups())
                at = found.end()
                continue
            self.put(text[at])
            at += 1

    def control(self, private, number, letter):
        if private:
            assert (number, letter) in {(n, e) for n in ("25", "1049", "2026") for e in "hl"}, (number, letter)
            if number == "25":
                self.cursor_is_shown = letter == "h"
            if number == "1049":
                assert self.alternate != (letter == "h")
                self.alternate = letter == "h"
                self.normal, self.cells = self.cells, self.normal or [[" "] * self.columns for _ in range(self.rows)]
        elif letter == "H":
            assert number == ""
            self.row = self.column = 0
        elif letter == "K":
            assert number == ""
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J":
            assert number == "", "the screen is cleared: it flickers"
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        else:
            assert letter == "m", letter

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            assert self.row + 1 < self.rows or not self.alternate, "the frame is too high"
            if self.row + 1 < self.rows:
                self.row += 1
            else:
                self.cells = self.cells[1:] + [[" "] * self.columns]
        else:
            assert unicodedata.category(character) != "Cc", repr(character)
            width = 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
            assert self.column + width < self.columns or not self.alternate, "the frame is too wide"
            if width == 0:
                self.cells[self.row][self.column - 1] += character
                return
            if self.column + width > self.columns:
                self.put("\r")
                self.put("\n")
            self.cells[self.row][self.column] = character
            for i in range(1, width):
                self.cells[self.row][self.column + i] = ""
            self.column += width


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, columns, rows, *arguments, **variables):
        self.master, self.slave = pty.openpty()
        self.emulator = Emulator(columns, rows)
        self.resize(columns, rows)
        self.bytes = b""
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **variables}
        self.settings = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [COMMAND, *map(str, arguments)], stdin=self.slave, stdout=self.slave, stderr=self.slave, env=environment,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            self.bytes += os.read(self.master, 65536)
            seconds = 0.02

    def show(self):
        """Returns the lines of the screen."""
        frames, self.bytes = self.bytes, b""
        if b"\x1b[?2026l" in frames and not self.has_ended():  # up to the last whole frame
            end = frames.rindex(b"\x1b[?2026l") + len(b"\x1b[?2026l")
            frames, self.bytes = frames[:end], frames[end:]
        self.emulator.feed(frames.decode())
        return self.emulator.text()

    def has_ended(self):
        return self.process.poll() is not None

    def wait_for(self, text):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.read()
            lines = self.show()
            if text in "\n".join(lines):
                return lines
        raise AssertionError(f"{text!r} is not in {self.show()}")

    def wait(self):
        end = time.monotonic() + PATIENCE
        while not self.has_ended():
            assert time.monotonic() < end, "it does not end"
            self.read()
        self.read()
        return self.process.returncode

    def close(self):
        if not self.has_ended():
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class GrowingRun(RunFromGolden):
    """A run whose steps the test writes. While it is claimed, a process writes it."""

    file = None

    def claim(self):
        self.path.mkdir(parents=True, exist_ok=True)
        self.file = (self.path / "claim.smd").open("w", encoding="utf-8")
        fcntl.fcntl(self.file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))

    def release(self):
        if self.file:
            self.file.close()

    def fact(self, **facts):
        path = self.path / "attempts/000000000_worker_0.json"
        attempt = json.loads(path.read_text(encoding="utf-8"))
        self.put(path.relative_to(self.path), json.dumps({**attempt, "facts": facts}))

    def rename_tensor(self, old, new):
        for index in self.path.glob("index/*/*.json"):
            text = json.loads(index.read_text(encoding="utf-8"))
            for one in text["tensor_payload"]:
                one["tensorname"] = new if one["tensorname"] == old else one["tensorname"]
            index.write_text(json.dumps(text), encoding="utf-8")


@unittest.skipUnless(COMMAND, "TENSORTAP_COMMAND is not set: the examples are not built")
class WatchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.run_ = GrowingRun(self.folder / "run")
        self.addCleanup(self.run_.release)

    def start(self, columns, rows, *arguments, interval=0.1, **variables):
        terminal = Terminal(columns, rows, "watch", self.run_.path, "--interval", interval, *arguments, **variables)
        self.addCleanup(terminal.close)
        return terminal

    def call(self, *arguments, code=0, **variables):
        result = subprocess.run([COMMAND, "watch", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                                env={"PATH": os.environ["PATH"], **variables})
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertNotIn("\x1b", result.stdout)
        return result.stdout + result.stderr

    def save(self, *steps):
        for step in steps:
            self.run_.save(0, step)

    def low_threshold(self):
        return "--rule", "VanishingGradient", "--set", "VanishingGradient.threshold=0.4"

    def test_a_run_from_before_its_beginning_to_its_end(self):
        terminal = self.start(80, 24, *self.low_threshold())
        terminal.wait_for("run: there is no run yet")
        self.run_.claim()
        self.run_.begin(0, -1)
        self.run_.fact(max_steps="16")
        terminal.wait_for("running, attempt 1")
        self.save(0, 3)
        lines = terminal.wait_for("global step 3")
        self.assertIn(f"{LOSS}", "\n".join(lines))
        self.assertIn(" 25 % of 16 steps", "\n".join(lines))
        self.assertIn("0 findings; judged up to global step 3", "\n".join(terminal.wait_for("up to global step 3")))
        self.save(4, 6)
        lines = terminal.wait_for("1 finding; judged up to global step 6")
        found = next(line for line in lines if "VanishingGradient" in line)
        self.assertTrue(found.startswith('  VanishingGradient (advice): step 6: "gradient/Net_res1.weight"'), found)
        self.assertTrue(found.endswith("…"), found)
        self.assertRegex(next(line for line in lines if LOSS in line), LOSS + r" +\d\.\d+  [▁▂▃▄▅▆▇█]{4}$")
        self.assertRegex(lines[1], r"^global step 6, [\d.]+ steps/s, \d+ h \d+ min ago$")
        self.run_.release()
        terminal.wait_for("interrupted, attempt 1")
        self.run_.claim()
        self.run_.begin(1, 3)
        self.run_.set_aside(1, 6)
        self.run_.set_aside(1, 4)
        terminal.wait_for("running, attempt 2")
        terminal.wait_for("0 findings")
        self.run_.save(1, 6)
        terminal.wait_for("1 finding")
        self.run_.end()
        self.assertEqual(terminal.wait(), 1)
        lines = terminal.show()
        self.assertFalse(terminal.emulator.alternate)
        self.assertTrue(terminal.emulator.cursor_is_shown)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.settings)
        self.assertTrue(any(line.endswith("ended, attempt 2") for line in lines), lines)
        self.assertIn("1 finding; judged up to global step 6", lines)

    def test_frames_are_drawn_without_flicker(self):
        self.run_.begin(0, -1)
        self.save(0, 3)
        terminal = self.start(80, 24)
        end = time.monotonic() + PATIENCE
        while terminal.bytes.count(b"\x1b[?2026l") < 3 and time.monotonic() < end:
            terminal.read()
        head, *frames = terminal.bytes.split(b"\x1b[?2026h")
        self.assertEqual(head, b"\x1b[?1049h\x1b[?25l")
        for frame in frames[:2]:
            self.assertTrue(frame.startswith(b"\x1b[H"), frame)
            self.assertTrue(frame.endswith(b"\x1b[J\x1b[?2026l"), frame)
            self.assertNotIn(b"\x1b[2J", frame)
            self.assertEqual(frame.count(b"\x1b[K"), frame.count(b"\r\n") + 1)
        self.assertIn(b"\x1b[1m", b"".join(frames))  # colors
        settings = termios.tcgetattr(terminal.slave)
        self.assertFalse(settings[3] & termios.ECHO)

    def test_no_color_is_honoured(self):
        self.run_.begin(0, -1)
        self.save(0, 3)
        terminal = self.start(80, 24, NO_COLOR="1")
        end = time.monotonic() + PATIENCE
        while terminal.bytes.count(b"\x1b[?2026l") < 2 and time.monotonic() < end:
            terminal.read()
        self.assertNotRegex(terminal.bytes, rb"\x1b\[[0-9;]*m")

    def test_it_ends_and_restores_the_terminal(self):
        self.run_.begin(0, -1)
        self.save(0, 3)
        for how in "q", "\x03", signal.SIGTERM, signal.SIGHUP, "gone":
            with self.subTest(how=how):
                terminal = self.start(60, 20, "--rule", "none")
                terminal.wait_for("global step 3")
                self.assertTrue(terminal.emulator.alternate)
                self.assertFalse(terminal.emulator.cursor_is_shown)
                if how == "gone":
                    self.run_.path.rename(self.folder / "elsewhere")
                elif isinstance(how, str):
                    os.write(terminal.master, how.encode())
                else:
                    terminal.process.send_signal(how)
                self.assertEqual(terminal.wait(), 2 if how == "gone" else 0)
                text = "\n".join(terminal.show())
                self.assertIn("the run was removed or renamed" if how == "gone" else "global step 3", text.replace("\n", ""))
                self.assertFalse(terminal.emulator.alternate)
                self.assertTrue(terminal.emulator.cursor_is_shown)
                self.assertEqual(termios.tcgetattr(terminal.slave), terminal.settings)

    def test_a_suspension_gives_the_terminal_back(self):
        self.run_.begin(0, -1)
        self.save(0)
        terminal = self.start(60, 20, "--rule", "none")
        terminal.wait_for("global step 0")
        terminal.process.send_signal(signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(terminal.process.pid, os.WUNTRACED)[1]))
        terminal.read()
        terminal.emulator.feed(terminal.bytes.decode())
        terminal.bytes = b""
        self.assertFalse(terminal.emulator.alternate)
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.settings)
        self.save(3)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for("global step 3")
        self.assertTrue(terminal.emulator.alternate)

    def test_a_resize_is_followed(self):
        self.run_.begin(0, -1)
        self.save(0, 3)
        terminal = self.start(200, 20, "--rule", "none", interval=3600)
        terminal.wait_for("q quits")
        terminal.emulator.resize(40, 10)
        terminal.resize(40, 10)
        lines = terminal.wait_for("q quits")
        self.assertTrue(any(line.endswith("▁█") or "…" in line for line in lines), lines)
        terminal.resize(40, 3)
        terminal.emulator.resize(40, 3)
        terminal.wait_for("global step 3")

    def test_all_widths(self):
        self.run_.begin(0, -1)
        self.save(0, 3, 4, 6, 8, 9, 12)
        self.run_.rename_tensor(LOSS, "loss of \u65e5\u672c\u8a9e, e\u0301, \x1b[2J\x07 and a name that is much too long for a terminal of any width " * 2)
        self.run_.end()
        for columns in (*range(40, 251, 7), 250):
            out = self.call(self.run_.path, "--once", "--tensor", "loss|weight$", *self.low_threshold(), code=1, COLUMNS=str(columns))
            for line in out.splitlines():
                width = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
                self.assertLess(width, columns, line)
                self.assertFalse([c for c in line if unicodedata.category(c) == "Cc"], line)
            self.assertIn("loss of", out)
            terminal = self.start(columns, 12, "--tensor", "loss|weight$", *self.low_threshold())
            self.assertEqual(terminal.wait(), 1)
            terminal.show()  # fails for a frame that is too wide or too high
            terminal.close()
            self._cleanups.pop()

    def test_lines_where_there_is_no_terminal(self):
        self.run_.claim()
        self.run_.begin(0, -1)
        process = subprocess.Popen([COMMAND, "watch", self.run_.path, "--interval", "0.1", *self.low_threshold()],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), f"{self.run_.path}: running, attempt 1\n")
        self.save(0)
        self.assertRegex(process.stdout.readline(), r"^global step 0, " + LOSS + r" [\d.]+\n$")
        self.save(3)
        self.assertRegex(process.stdout.readline(), r"^global step 3, [\d.]+ steps/s, " + LOSS + r" [\d.]+\n$")
        self.save(4, 6)
        lines = [process.stdout.readline()]
        while "found: " not in lines[-1]:
            lines.append(process.stdout.readline())
        self.assertTrue(lines[-1].startswith('found: VanishingGradient (advice): step 6: "gradient/Net_res1.weight"'), lines)
        self.run_.end()
        self.assertEqual(process.stdout.read(), f"{self.run_.path}: ended, attempt 1\n")
        self.assertEqual(process.wait(timeout=PATIENCE), 1)

    def test_json(self):
        self.run_.begin(0, -1)
        self.save(0, 3, 6)
        self.run_.end()
        lines = self.call(self.run_.path, "--json", "--total", "100", *self.low_threshold(), code=1).splitlines()
        updates = [json.loads(line) for line in lines]
        last = updates[-1]
        self.assertEqual((last["state"], last["global_step"], last["mode"], last["attempts"]), ("ended", 6, "GLOBAL", 1))
        self.assertEqual(sum(len(one["new_findings"]) for one in updates), last["findings"])
        self.assertEqual(last["findings"], 1)
        self.assertEqual((last["total_steps"], last["seconds_left"]), (100, None))  # it has ended
        self.assertEqual([one["tensor"] for one in last["values"]], [LOSS])
        once = json.loads(self.call(self.run_.path, "--json", "--total", "100", "--once", *self.low_threshold(), code=1))
        self.assertEqual(once["new_findings"][0]["tensor"], "gradient/Net_res1.weight")
        (self.run_.path / "training_job_end.ts").unlink()
        self.assertEqual(json.loads(self.call(self.run_.path, "--json", "--once", "--total", "100", "--rule", "none"))["state"], "interrupted")
        self.run_.claim()
        once = json.loads(self.call(self.run_.path, "--json", "--once", "--total", "100", "--rule", "none"))
        self.assertEqual(once["state"], "running")
        self.assertAlmostEqual(once["seconds_left"], 93 / once["steps_per_second"])
        dump = subprocess.run([COMMAND, "show", self.run_.path, LOSS, "--step", "6"], capture_output=True, text=True, check=True)
        self.assertEqual(str(once["values"][0]["value"])[:8], dump.stdout.splitlines()[-1][:8])

    def test_what_the_hook_costs(self):
        def cost(elapsed, in_training, writing):
            return {"elapsed_ns": elapsed * 10**9, "in_training_ns": in_training * 10**6, "writing_ns": writing * 10**6}

        self.run_.begin(0, -1, cost=cost(40, 400, 2000))
        self.save(0, 3)
        hook = "hook: 1.0 % of the time of training; its writer 5.0 % of a processor"
        terminal = self.start(100, 20, "--rule", "none")
        terminal.wait_for(hook)
        self.run_.begin(0, -1, cost=cost(80, 400, 2000))
        terminal.wait_for("hook: 0.5 % of the time of training; its writer 2.5 % of a processor")
        self.run_.begin(1, 3, cost=cost(20, 600, 3000))  # with that of the attempt before
        terminal.wait_for(hook)
        self.run_.end()
        self.assertEqual(terminal.wait(), 0)
        self.assertIn("global step 3, hook 1 %, ", self.call(self.run_.path, "--rule", "none"))
        self.assertEqual(json.loads(self.call(self.run_.path, "--json", "--rule", "none").splitlines()[-1])["hook_share"], 0.01)
        for arguments, expected in ([], hook), (["--json"], '"hook_share":0.01'):
            shown = subprocess.run([COMMAND, "show", self.run_.path, *arguments], capture_output=True, text=True, check=True)
            self.assertIn(expected, shown.stdout)
        self.assertIsNone(json.loads(self.call(GOLDEN / "basic", "--json", "--once", "--rule", "none"))["hook_share"])

    def test_mistakes(self):
        self.assertIn("no such run", self.call(self.folder / "nothing", "--once", code=2))
        self.assertIn("no such rule", self.call(GOLDEN / "basic", "--once", "--rule", "Nothing", code=2))
        self.assertIn("pattern", self.call(GOLDEN / "basic", "--tensor", "(", code=2))
        self.assertIn("is no run, but holds", self.call(GOLDEN / "spot", code=2))


@unittest.skipUnless(COMMAND and shutil.which("tmux"), "TENSORTAP_COMMAND is not set, or there is no tmux")
class TmuxTest(unittest.TestCase):
    """The screen as an emulator that others have written shows it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.run_ = GrowingRun(self.folder / "run")
        self.addCleanup(self.run_.release)

    def tmux(self, *arguments):
        result = subprocess.run(["tmux", "-S", self.folder / "socket", "-f", "/dev/null", *arguments], capture_output=True,
                                text=True, timeout=PATIENCE, env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"})
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def wait_for(self, text):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            shown = self.tmux("capture-pane", "-p")
            if text in shown:
                return shown.splitlines()
            time.sleep(0.05)
        self.fail(f"{text!r} is not in {shown}")

    def test_two_widths(self):
        for columns in 60, 200:
            with self.subTest(columns=columns):
                shutil.rmtree(self.run_.path, ignore_errors=True)
                self.run_.claim()
                self.run_.begin(0, -1)
                watch = f"'{COMMAND}' watch '{self.run_.path}' --interval 0.1 --rule VanishingGradient --set VanishingGradient.threshold=0.4"
                self.tmux("-u", "new-session", "-d", "-x", str(columns), "-y", "20", f"{watch}; echo the code is $?; sleep 600")
                self.addCleanup(subprocess.run, ["tmux", "-S", self.folder / "socket", "kill-server"], check=False, capture_output=True)
                self.wait_for("running, attempt 1")
                for step in 0, 3, 4, 6, 8, 9, 12:
                    self.run_.save(0, step)
                lines = self.wait_for("judged up to global step 12")
                loss = next(line for line in lines if line.startswith(LOSS[:20]))
                self.assertRegex(loss, r" \d\.\d+  [▁▂▃▄▅▆▇█]{7}$")
                found = [line for line in lines if "VanishingGradient" in line]
                self.assertEqual(len(found), 2)
                self.assertEqual(found[1].endswith("…"), columns == 60, found)
                self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}"), "1 0\n")
                self.tmux("resize-window", "-x", str(columns - 15), "-y", "12")
                end = time.monotonic() + PATIENCE
                while max(map(len, self.wait_for("q quits"))) >= columns - 15:  # until it is drawn for this width
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.05)
                self.tmux("send-keys", "C-c")
                lines = self.wait_for("the code is 1")
                self.assertIn("2 findings; judged up to global step 12", lines)
                self.assertEqual(self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}"), "0 1\n")
                self.run_.release()
                self.tmux("kill-server")


if __name__ == "__main__":
    unittest.main()
