#!/usr/bin/env python3
"""The rules of the house that a compiler does not check: doors and rooms, include edges, names, lengths.

usage: python3 tests/layers_test.py [include/tensortap]

Prints one line per broken rule and exits 1 if there is any. A header is a door (listed in an umbrella; users include it)
or a room (below internal/; everything in it is in tensortap::detail). Bodies of a door X.hpp are in internal/X_impl.hpp,
which the door includes at its end, under `#if TENSORTAP_WITH_BODIES`; that include is no edge of the graph. A room that
only such bodies include may be a part of them.
"""
import re
import sys
from pathlib import Path

# Below all folders: the doors at the root, their rooms, and bytes/.
BASE = {"capture_requests", "error", "isa", "name", "phase", "reduction", "retry_policy", "statistics_record", "step", "step_view", "stop", "unit_statistics",
        "version"}
UMBRELLAS = {"tensortap", "job", "trace", "report", "net"}

# Folder -> the folders and headers it may include besides itself, the base and the standard library.
MAY_INCLUDE = {
    "bytes": set(),
    "tensor": set(),
    "select": set(),
    "reduce": {"tensor"},
    "record": {"tensor", "select", "reduce"},
    "store": set(),
    "capture": {"tensor", "select", "reduce", "record", "store"},
    "trial": {"tensor", "select", "reduce", "record", "store"},
    "rules": {"tensor", "select", "reduce", "store", "trial"},
    "rules/builtin": {"tensor", "select", "reduce", "trial", "rules"},
    "spot": {"record", "store", "trial", "rules", "capture/hook_options", "capture/state"},
    "job": {"record", "select", "store", "trial", "rules", "rules/builtin", "spot", "capture/hook_configuration", "capture/state",
            "capture/worker_place"},
    "trace": {"record", "store", "trial"},
    "report": {"record", "reduce", "rules", "rules/builtin", "select", "tensor", "store", "trace", "trial"},
    "net/http": {"store"},
    "net/aws": {"net/http"},
    "net/cloud": {"net/http", "net/aws/credentials_options", "net/aws/internal/profile_file"},
    "net/webhook": {"rules", "net/http", "net/aws/internal/digest"},
    "net/s3": {"store", "net/http", "net/aws"},
}

# Where each library is spoken; elsewhere its headers must not be included.
LIBRARIES = {
    r"nlohmann/": re.compile(r"(record|capture|spot|job|trace|net/aws|net/cloud)/internal/"),
    r"(httplib\.h$|openssl/|pugixml\.hpp$)": re.compile(r"net/\w+/internal/"),
}
SYSTEM_HEADER = re.compile(r"\w+$|(?:(?:sys|linux|net|netinet|arpa)/)?\w+\.h$")

# What a door must not reach through its includes: dear headers of the standard library, other libraries, rooms.
DEAR = {"regex", "filesystem", "thread", "iostream", "ostream", "istream", "sstream", "fstream", "ranges", "condition_variable",
        "mutex", "future", "semaphore"}
LIGHT_ROOMS = {"internal/config"}

FORBIDDEN_NAMES = re.compile(r"(?:^|_)(?:util|utility|utilities|helper|manager|common|misc|core|detail)s?(?:_|$)")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*$")
MAX_LINES = 450

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
TAIL = re.compile(r"^#if TENSORTAP_WITH_BODIES\n#include <tensortap/([^>]+)\.hpp>\n#endif\n*\Z", re.MULTILINE)
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NAMESPACE = re.compile(r"^TENSORTAP_BEGIN_NAMESPACE\n(.*)^TENSORTAP_END_NAMESPACE$", re.DOTALL | re.MULTILINE)
DETAIL = re.compile(r"\s*(?:(?:enum class|class|struct) \w+(?: : [\w:]+)?;\s*)*namespace detail(::\w+)* \{\n.*^\}  // namespace detail(::\w+)*\n\s*\Z", re.DOTALL | re.MULTILINE)


def folder_of(header):
    """The folder of "record/internal/wire" and of "record/event" is "record", that of a header of the base is empty."""
    return re.sub(r"(^|/)internal$", "", header.rpartition("/")[0])


def is_room(header):
    return "internal" in header.split("/")


class Header:
    """One header: its text without the tail, what it includes, and the bodies it names."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).with_suffix("").as_posix()
        self.text = path.read_text(encoding="utf-8")
        tail = TAIL.search(self.text)
        self.bodies = tail[1] if tail else None
        above = self.text[: tail.start()] if tail else self.text
        self.includes = INCLUDE.findall(BLOCK_COMMENT.sub("", above))
        self.own = [name.removeprefix("tensortap/").removesuffix(".hpp")
                    for _, name in self.includes if name.startswith("tensortap/")]
        self.others = [name for _, name in self.includes if not name.startswith("tensortap/")]


class House:
    def __init__(self, root):
        self.root = root
        self.headers = {}
        for path in sorted(root.rglob("*.hpp")):
            header = Header(root, path)
            self.headers[header.name] = header
        self.listed = {name for umbrella in UMBRELLAS if umbrella in self.headers for name in self.headers[umbrella].own}
        self.reached = {}

    def reach(self, name):
        """All headers that `name` includes, its own and others, directly or not; bodies excluded."""
        if name not in self.reached:
            self.reached[name] = set()  # ends a circle
            found = set()
            header = self.headers.get(name)
            if header:
                found.update(header.others)
                for own in header.own:
                    found |= {"tensortap/" + own} | self.reach(own)
            self.reached[name] = found
        return self.reached[name]

    def circles(self):
        """One circle of includes per header that is in one."""
        done, path = set(), []

        def visit(name):
            if name in path:
                yield " -> ".join(path[path.index(name):] + [name])
                return
            if name in done or name not in self.headers:
                return
            path.append(name)
            for own in self.headers[name].own:
                yield from visit(own)
            path.pop()
            done.add(name)

        for name in self.headers:
            yield from visit(name)


    def incomplete(self, first):
        """Includes that find a header half read, if header `first` is included first and doors bring their bodies."""
        begun, complete = set(), set()

        def read(name):
            begun.add(name)
            header = self.headers[name]
            for own in header.own:
                if own in self.headers and own not in begun:
                    yield from read(own)
                elif own in begun and own not in complete:
                    yield f"{name} includes {own}, which is half read"
            complete.add(name)
            if header.bodies in self.headers and header.bodies not in begun:
                yield from read(header.bodies)

        yield from read(first)


def own_edge_is_allowed(source, target):
    """Whether header `source` may include our header `target`."""
    if source == "net" or folder_of(source) == "adapters":
        return True
    if source in {"job", "trace", "report"}:
        return target == "tensortap" or target.startswith(source + "/") or (source, target) == ("report", "trace")
    if target in UMBRELLAS or folder_of(target) == "adapters":
        return False
    if source == "tensortap":
        return not target.startswith(("net/", "job/", "trace/", "report/"))
    if folder_of(target) in {"", "bytes"}:
        return folder_of(source) != "" or folder_of(target) == "" or is_room(source)
    allowed = MAY_INCLUDE.get(folder_of(source), set())
    return folder_of(target) == folder_of(source) != "" or folder_of(target) in allowed or target in allowed


def other_edge_is_allowed(source, include):
    """Whether header `source` may include `include`, which is not ours."""
    if folder_of(source) == "adapters":
        return True
    for library, speakers in LIBRARIES.items():
        if re.match(library, include):
            return speakers.match(source) is not None
    return SYSTEM_HEADER.match(include) is not None


def complaints_about_names(name):
    for part in name.split("/"):
        if FORBIDDEN_NAMES.search(part):
            yield f"the name {part} says nothing; name the one type or verb inside"
        elif not SNAKE_CASE.match(part):
            yield f"the name {part} is not snake_case"
    folder = folder_of(name)
    if folder == "" and not is_room(name) and name not in BASE | UMBRELLAS:
        yield "not one of the base headers " + ", ".join(sorted(BASE))
    if folder not in {"", "adapters", *MAY_INCLUDE}:
        yield f"no such folder in the plan: {folder}"


def complaints_about_door(house, header):
    if header.name not in house.listed:
        yield "neither a door (listed in tensortap.hpp, job.hpp, trace.hpp, report.hpp or net.hpp) nor a room (in internal/)"
    reached = house.reach(header.name)
    for name in sorted(reached):
        if name in DEAR or any(re.match(library, name) for library in LIBRARIES):
            yield f"a door that reaches <{name}>"
        own = name.removeprefix("tensortap/")
        if name.startswith("tensortap/") and is_room(own) and own not in LIGHT_ROOMS:
            yield f"a door that reaches the room {own}"
    yield from house.incomplete(header.name)
    if header.bodies and header.bodies != f"{header.name.rpartition('/')[0]}/internal/{header.name.rpartition('/')[2]}_impl".lstrip("/"):
        yield f"its bodies are in {header.bodies}"


def complaints_about_room(house, header):
    if header.name in house.listed:
        yield "a room that an umbrella lists"
    stem = header.name.rpartition("/")[2]
    door = f"{folder_of(header.name)}/{stem.removesuffix('_impl')}".lstrip("/")
    if stem.endswith("_impl"):
        if door not in house.headers or house.headers[door].bodies != header.name:
            yield f"bodies that {door}.hpp does not include at its end"
        includers = [other.name for other in house.headers.values() if header.name in other.own]
        if includers:
            yield f"bodies that {includers[0]} includes"
        return
    if header.bodies:
        yield "a room that includes bodies at its end"
    inside = NAMESPACE.search(header.text)
    includers = [other.name for other in house.headers.values() if header.name in other.own]
    is_part = len(includers) == 1 and includers[0].endswith("_impl") and folder_of(includers[0]) == folder_of(header.name)
    if inside and not DETAIL.match(inside[1]) and not is_part:
        yield "a name outside tensortap::detail"


def complaints_about(house, header):
    """All broken rules of one header."""
    yield from complaints_about_names(header.name)
    lines = header.text.count("\n")
    if lines > MAX_LINES:
        yield f"{lines} lines, at most {MAX_LINES}"
    if not re.search(r"^#pragma once$", header.text, re.MULTILINE):
        yield "no #pragma once"
    for bracket, include in header.includes:
        if include.startswith("tensortap/"):
            target = include.removeprefix("tensortap/").removesuffix(".hpp")
            if target not in house.headers:
                yield f"includes {include}, which does not exist"
            elif not own_edge_is_allowed(header.name, target):
                yield f"must not include {include}"
        elif bracket == '"':
            yield f'includes "{include}"; write <tensortap/...>'
        elif not other_edge_is_allowed(header.name, include):
            yield f"must not include <{include}>"
    if is_room(header.name):
        yield from complaints_about_room(house, header)
    elif header.name not in UMBRELLAS and folder_of(header.name) != "adapters":
        yield from complaints_about_door(house, header)


def broken_rules(root):
    """One sentence per broken rule below the folder `root`, which is named tensortap."""
    house = House(root)
    found = [f"{name}.hpp: {text}" for name, header in house.headers.items() for text in complaints_about(house, header)]
    found += [f"a circle: {circle}" for circle in house.circles()]
    if "tensortap" not in house.headers:
        found.append("tensortap.hpp: the umbrella is missing")
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".hpp" and path.name not in {"README.md", "COOKBOOK.md"}:
            found.append(f"{path.relative_to(root)}: only headers and README.md pages live here")
    return found


def main(arguments):
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent / "include" / "tensortap").resolve()
    house = House(root)
    found = broken_rules(root)
    for line in found:
        print(line)
    rooms = sum(1 for name in house.headers if is_room(name))
    edges = sum(len(header.own) for header in house.headers.values())
    print(f"{len(house.listed - UMBRELLAS)} doors, {rooms} rooms, {edges} includes among them, "
          f"{len(list(house.circles()))} circles, {len(found)} broken rules")
    return 1 if found or not house.headers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
