#!/usr/bin/env python3
"""The house rules that a compiler does not check: who may include whom, names, lengths.

usage: python3 tests/layers_test.py [include/tensortap]

Prints one line per broken rule and exits 1 if there is any.
"""
import re
import sys
from pathlib import Path

BASE = {"version", "error", "step", "isa", "reduction", "stop", "name", "thread"}
UMBRELLAS = {"tensortap", "net"}

# Folder -> what it may include besides itself, the base and the standard library.
MAY_INCLUDE = {
    "tensor": set(),
    "select": set(),
    "reduce": {"tensor"},
    "record": {"tensor", "select", "reduce"},
    "store": {"record/crc32c"},
    "store/http": {"store"},
    "store/s3": {"store", "store/http", "record/crc32c"},
    "capture": {"tensor", "select", "reduce", "record", "store"},
    "trial": {"tensor", "select", "reduce", "record", "store"},
    "rules": {"select", "reduce", "store", "trial"},
    "spot": {"record", "store", "trial", "rules", "capture/options", "capture/state"},
}

# Outside the umbrella: these speak to a network, and nothing inside it may include them.
NET = re.compile(r"store/http/|store/s3/|rules/webhook$|spot/cloud_notice$")

JSON_SPEAKERS = {"record/json_text", "record/index", "record/attempt", "record/collections_file", "capture/options", "capture/state",
                 "store/s3/credentials_json", "spot/checkpoint_manifest"}
NET_LIBRARIES = re.compile(r"httplib\.h$|openssl/|pugixml\.hpp$")
SYSTEM_HEADER = re.compile(r"\w+$|(?:(?:sys|linux|net|netinet|arpa)/)?\w+\.h$")

FORBIDDEN_NAMES = re.compile(r"(?:^|_)(?:util|utility|utilities|helper|manager|common|misc|core|detail)s?(?:_|$)")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*$")
MAX_LINES = 500

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def folder_of(header):
    """The folder of "record/event" is "record", that of a header of the base is empty."""
    return header.rpartition("/")[0]


def own_edge_is_allowed(source, target):
    """Whether the header `source` may include our header `target`; both without "tensortap/" and ".hpp"."""
    if source == "net" or folder_of(source) == "adapters":
        return True
    if target in UMBRELLAS or folder_of(target) == "adapters" or (NET.match(target) and not NET.match(source)):
        return False
    if source == "tensortap" or target in BASE:
        return True
    allowed = MAY_INCLUDE.get(folder_of(source), set())
    return folder_of(target) == folder_of(source) != "" or folder_of(target) in allowed or target in allowed


def other_edge_is_allowed(source, include):
    """Whether the header `source` may include `include`, which is not ours."""
    if folder_of(source) == "adapters":
        return True
    if include.startswith("nlohmann/"):
        return source in JSON_SPEAKERS
    if NET_LIBRARIES.match(include):
        return NET.match(source) is not None
    return SYSTEM_HEADER.match(include) is not None


def complaints_about_names(root, path):
    for part in path.relative_to(root).with_suffix("").parts:
        if FORBIDDEN_NAMES.search(part):
            yield f"the name {part} says nothing; name the one type or verb inside"
        elif not SNAKE_CASE.match(part):
            yield f"the name {part} is not snake_case"
    header = path.relative_to(root).with_suffix("").as_posix()
    folder = folder_of(header)
    if folder == "" and header not in BASE | UMBRELLAS:
        yield "not one of the base headers " + ", ".join(sorted(BASE))
    if folder not in {"", "adapters", *MAY_INCLUDE}:
        yield f"no such folder in the plan: {folder}"


def complaints_about(root, path):
    """All broken rules of one header."""
    yield from complaints_about_names(root, path)
    if path.suffix == ".md":
        return
    if path.suffix != ".hpp":
        yield "only headers and pages about them live here"
        return
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > MAX_LINES:
        yield f"{lines} lines, at most {MAX_LINES}"
    if not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield "no #pragma once"
    source = path.relative_to(root).with_suffix("").as_posix()
    for bracket, include in INCLUDE.findall(BLOCK_COMMENT.sub("", text)):
        if include.startswith("tensortap/"):
            if not (root.parent / include).is_file():
                yield f"includes {include}, which does not exist"
            elif not own_edge_is_allowed(source, include.removeprefix("tensortap/").removesuffix(".hpp")):
                yield f"must not include {include}"
        elif bracket == '"':
            yield f'includes "{include}"; write <tensortap/...>'
        elif not other_edge_is_allowed(source, include):
            yield f"must not include <{include}>"


def complaints_about_umbrella(root):
    """The map lists every header of the flow, or reaches it through one that it lists."""
    umbrella = root / "tensortap.hpp"
    if not umbrella.is_file():
        yield "tensortap.hpp: the umbrella is missing"
        return
    reached, todo = set(), ["tensortap/tensortap.hpp"]
    while todo:
        include = todo.pop()
        if include in reached or not (root.parent / include).is_file():
            continue
        reached.add(include)
        text = (root.parent / include).read_text(encoding="utf-8")
        todo += [name for _, name in INCLUDE.findall(BLOCK_COMMENT.sub("", text)) if name.startswith("tensortap/")]
    for path in sorted(root.rglob("*.hpp")):
        header = path.relative_to(root).with_suffix("").as_posix()
        outside = folder_of(header) == "adapters" or header in UMBRELLAS or NET.match(header)
        if not outside and path.relative_to(root.parent).as_posix() not in reached:
            yield f"{header}.hpp: not reached from the umbrella"


def broken_rules(root):
    """One sentence per broken rule below the folder `root`, which is named tensortap."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    found = [f"{path.relative_to(root)}: {text}" for path in files for text in complaints_about(root, path)]
    return found + list(complaints_about_umbrella(root))


def main(arguments):
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent / "include" / "tensortap").resolve()
    headers = len(list(root.rglob("*.hpp")))
    found = broken_rules(root)
    for line in found:
        print(line)
    print(f"{headers} headers, {len(found)} broken rules")
    return 1 if found or headers == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
