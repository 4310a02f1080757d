#!/usr/bin/env python3
"""What users can name is listed in tests/data/public_names.txt, with its declaration: no part of it changes unnoticed.

A name that disappears, or whose declaration changes, needs a line in CHANGELOG.md, below "### Changed" or "### Removed"
of [Unreleased], that has the name in backticks. A new name needs only the list:

    python3 tests/public_names_test.py --update

which writes it, unless such a line is missing. Where nothing has been released yet, delete the list first.

The list holds what the doors declare in namespace tensortap (types, members, functions, enumerators with their place,
fields with their defaults), macros, headers, targets and options of CMake, packages, environment variables, and the
commands and options of the tool.
"""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
LIST = ROOT / "tests/data/public_names.txt"
UPDATE = "python3 tests/public_names_test.py --update"

TOKEN = re.compile(r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")
  | (?P<text>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"|(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>::|->\*?|\.\.\.|<=>|<<=|[-+*/%&|^=!<>]=|&&|\|\||\+\+|--|\S)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
CLASS_KEYS = {"class", "struct", "union", "enum"}


def tokens_of(text):
    """Returns the tokens of C++ text, and the macros that it defines. Of #if … #else, the first branch counts."""
    tokens, macros, skipped = [], [], []  # skipped: for each open #if, whether its current branch is left out
    for match in TOKEN.finditer(text):
        kind, token = match.lastgroup, match[0]
        if kind == "mark":
            kind = "raw"
        if kind == "directive":
            words = token.replace("\\\n", " ").split("//")[0].strip(" \t#").split(None, 1) or [""]
            if words[0] in ("if", "ifdef", "ifndef"):
                skipped.append(False)
            elif words[0] in ("else", "elif") and skipped:
                skipped[-1] = True
            elif words[0] == "endif" and skipped:
                skipped.pop()
            elif words[0] == "define" and not any(skipped):
                macros.append(re.match(r"\w+(?:\([^)]*\))?", words[1])[0])
        elif kind != "comment" and not any(skipped):
            tokens.append(token)
    return tokens, macros


def behind(tokens, at):
    """Returns the place behind the bracket that closes the one at `at`."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] in OPEN) - (tokens[at] in CLOSE)
        at += 1
        if depth == 0:
            return at
    raise ValueError("a bracket is not closed")


def behind_template(tokens, at):
    """Returns the place behind `template <…>` and the requires clauses of single words and calls that follow it."""
    while at < len(tokens) and tokens[at] == "template":
        at, depth = at + 1, 0
        while True:
            if tokens[at] in OPEN:
                at = behind(tokens, at)
                continue
            depth += (tokens[at] == "<") - (tokens[at] == ">")
            at += 1
            if depth == 0:
                break
    return at


def spelled(tokens):
    """Returns tokens as one line of text, in which equal declarations are equal."""
    text = ""
    for token in tokens:
        if text and (re.match(r"\w", token[0]) or token[0] in "\"'") and re.search(r"[\w>,=&*)\]|}]$", text):
            text += " "
        elif token in ("=", "||", "|", "->") or (token == "{" and not text.endswith(("(", "{", "<"))) or (text.endswith("=") and not text.endswith("operator=")):
            text += " "
        text += token
    return text


class Names:
    """The lines of the list: a kind and a name, then what is declared."""

    def __init__(self):
        self.lines = {}

    def add(self, kind, name, declaration=""):
        self.lines.setdefault(f"{kind} {name}", set()).add(declaration)

    def text(self):
        return "".join(f"{key}{': ' if declaration else ''}{declaration}\n"
                       for key in sorted(self.lines) for declaration in sorted(self.lines[key]))

    def read_header(self, text):
        tokens, macros = tokens_of(text)
        for macro in macros:
            self.add("macro", macro)
        tokens = [token for token in tokens if token != "TENSORTAP_INLINE"]
        replaced = []
        for token in tokens:
            replaced += {"TENSORTAP_BEGIN_NAMESPACE": ["namespace", "tensortap", "{"],
                         "TENSORTAP_END_NAMESPACE": ["}"]}.get(token, [token])
        self.scope(replaced, 0, len(replaced), [])

    def scope(self, tokens, at, end, path, public=True):
        """Reads the declarations from `at` to `end` in the namespace or class `path`."""
        while at < end:
            if tokens[at] == ";":
                at += 1
            elif tokens[at] in ("public", "private", "protected") and tokens[at + 1] == ":":
                public, at = tokens[at] != "private", at + 2
            else:
                at = self.declaration(tokens, at, end, path, public)

    def declaration(self, tokens, begin, end, path, public):
        """Reads one declaration. Returns the place behind it."""
        at = behind_template(tokens, begin)
        head = [token for token in tokens[at:at + 3] if token != "inline"]
        if head[0] == "namespace":
            return self.namespace(tokens, at, path)
        if head[0] in CLASS_KEYS or (head[0] == "typedef" and head[1] in CLASS_KEYS):
            body = at
            while tokens[body] not in ("{", ";", "("):
                body += 1
            if tokens[body] == "{":
                return self.type(tokens, begin, at, body, path, public)
        parts, called, assigned, body_behind = [], False, False, begin
        at = begin
        while at < end and tokens[at] != ";":
            token = tokens[at]
            assigned = assigned or (token == "=" and tokens[at - 1] != "operator" and at >= behind_template(tokens, begin))
            if token == ":" and called and not assigned:  # the initializers of a constructor: name(…) or name{…}, …
                at += 1
                while tokens[at] != "{" or tokens[at - 1] not in (")", "}"):
                    at = behind(tokens, at) if tokens[at] in OPEN else at + 1
                return self.declared(parts, behind(tokens, at), path, public)
            if token == "{" and called and not assigned and tokens[at - 1] != "requires" and not self.in_requires(tokens, begin, at):
                return self.declared(parts, behind(tokens, at), path, public)
            if token in OPEN:
                called = called or token == "("
                body_behind = behind(tokens, at)
                parts += tokens[at:body_behind]
                at = body_behind
            else:
                parts.append(token)
                at += 1
        return self.declared(parts, at + 1, path, public)

    @staticmethod
    def in_requires(tokens, begin, at):
        """Whether the brace at `at` belongs to `requires (…) {`."""
        if tokens[at - 1] != ")":
            return False
        depth, back = 0, at - 1
        while back > begin:
            depth += (tokens[back] in CLOSE) - (tokens[back] in OPEN)
            if depth == 0:
                break
            back -= 1
        return tokens[back - 1] == "requires"

    def namespace(self, tokens, at, path):
        body = tokens.index("{", at)
        name = [token for token in tokens[at + 1:body] if token not in ("::", "inline")]
        behind_body = behind(tokens, body)
        if "detail" not in name:
            self.scope(tokens, body + 1, behind_body - 1, path + name)
        return behind_body

    def type(self, tokens, begin, key, body, path, public):
        """Reads a class or an enumeration with a body. Returns the place behind it and its semicolon."""
        words = tokens[key:body]
        if words[1] == "[":  # [[nodiscard]]
            words = words[:1] + words[behind(words, 1):]
        is_enum = words[0] == "enum"
        named = [word for word in words[1:words.index(":") if ":" in words else None]
                 if re.match(r"[A-Za-z_]", word) and word not in CLASS_KEYS | {"final", "alignas"}]
        behind_body = behind(tokens, body)
        rest = behind_body
        while tokens[rest] != ";":
            rest += 1
        name = path + [named[0] if named else "(unnamed)"]
        if public:
            self.add("type", "::".join(name), spelled(tokens[begin:body]))
            if is_enum:
                self.enumerators(tokens[body + 1:behind_body - 1], name)
            else:
                self.scope(tokens, body + 1, behind_body - 1, name, public=words[0] != "class")
        return rest + 1

    def enumerators(self, tokens, path):
        at, place = 0, 0
        while at < len(tokens):
            end = at
            while end < len(tokens) and tokens[end] != ",":
                end = behind(tokens, end) if tokens[end] in OPEN else end + 1
            if tokens[at:end]:
                self.add("enumerator", "::".join(path + [tokens[at]]), f"{spelled(tokens[at + 1:end])} #{place}".strip())
            at, place = end + 1, place + 1

    def declared(self, parts, behind_it, path, public):
        """Adds a declaration that is no namespace and has no body of a type."""
        if not public or not parts or path[:1] != ["tensortap"]:
            return behind_it
        bare = parts[behind_template(parts, 0):]
        if bare[0] in CLASS_KEYS or bare[0] in ("static_assert", "extern") or (bare[0] == "friend" and bare[1] in CLASS_KEYS):
            return behind_it  # a forward declaration, or nothing that has a name
        if bare[0] in ("concept", "using"):
            name, kind = bare[1], bare[0]
            if bare[1] == "namespace" or "=" not in bare:
                name = spelled(bare[1:])
        elif "operator" in bare:
            place = bare.index("operator") + 1
            name = "operator"
            while bare[place] != "(" or name == "operator":
                name += (" " if re.match(r"\w", bare[place]) else "") + bare[place]
                place += 1
            if name == "operator(":
                name = "operator()"
            kind = "function"
        else:
            at, depth = 0, 0
            while at < len(bare) and (depth > 0 or bare[at] not in ("(", "=", "{", "[") or
                                      (bare[at] == "[" and at + 1 < len(bare) and bare[at + 1] == "[") or
                                      bare[at - 1] in ("requires", "explicit", "decltype", "noexcept", "alignas")):
                if bare[at] in OPEN:
                    at = behind(bare, at)
                    continue
                depth += (bare[at] == "<") - (bare[at] == ">")
                at += 1
            words = [token for token in bare[:at] if re.match(r"[~A-Za-z_]", token) or token == "~"]
            name = ("~" if "~" in words else "") + words[-1]
            kind = "function" if at < len(bare) and bare[at] == "(" else "variable"
        self.add(kind, "::".join(path + [name]), spelled(parts))
        if kind == "variable":  # int a = 1, b = 2;
            while at < len(bare):
                if bare[at] == "," and depth == 0:
                    self.add(kind, "::".join(path + [bare[at + 1]]), spelled(parts))
                depth += (bare[at] == "<") - (bare[at] == ">")
                at = behind(bare, at) if bare[at] in OPEN else at + 1
        return behind_it


HIDDEN = {"completion", "man"}  # commands for packages, in no list


def tool_names(names):
    """Adds the commands of the tool and their options, as its sources declare them. Those that a function declares for
    several commands are listed as `shared`."""
    for source in sorted((ROOT / "examples/tensortap").glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        for command in re.findall(r'\bline\.add\(\s*"([a-z]+)",', text):
            names.add("command", command)
        commands = {command for command in re.findall(r"CLI::App\* (\w+) =\s+line\.add\(", text)}
        call = r'(\w+)\s*(?:->|\.)\s*add_(?:option|flag)(?!_group)\w*(?:<[^>]*>)?\(\s*(?:\w+ \? )?"([^"]+)"(?: : "([^"]+)")?'
        for name, *options in re.findall(call, text):
            owner = "train" if source.stem == "job_arguments" else name if name in commands else "shared"
            if name in HIDDEN:
                continue
            owner = {"exporting": "export"}.get(owner, owner)  # a keyword is no name of a variable
            for option in filter(None, options):
                names.add("tool-option", f"{owner} {option.split(',')[-1]}")
        for option in re.findall(r'add_setting\("(--[\w-]+)"', text):
            names.add("tool-option", f"shared {option}")


def current():
    """Returns the list as it should be."""
    names = Names()
    for path in sorted(INCLUDE.rglob("*.hpp")):
        name = path.relative_to(INCLUDE).as_posix()
        if "/internal/" not in name:
            names.add("header", f"<{name}>")
            try:
                names.read_header(path.read_text(encoding="utf-8"))
            except (IndexError, ValueError) as error:
                raise ValueError(f"{name}: the reader of this test does not understand a declaration") from error
    every = "\n".join(path.read_text(encoding="utf-8") for path in sorted(INCLUDE.rglob("*.hpp")))
    for variable in re.findall(r'"((?:TENSORTAP|SMDEBUG)_[A-Z_]+)"', every):
        names.add("environment", variable)
    for macro in re.findall(r"defined\((TENSORTAP_[A-Z_]+)\)", (INCLUDE / "tensortap/internal/config.hpp").read_text(encoding="utf-8")):
        names.add("macro", macro)
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for target in re.findall(r"add_library\((tensortap::\w+) ALIAS", cmake):
        names.add("cmake-target", target)
    for option, default in re.findall(r'^option\((TENSORTAP_\w+) "[^"]*" ([^)]+)\)', cmake, re.M):
        names.add("cmake-option", option, default)
    for option, default in re.findall(r'^set\((TENSORTAP_\w+) ("[^"]*"|\w+) CACHE', cmake, re.M):
        names.add("cmake-option", option, default)
    for package in re.findall(r"pc_file\((tensortap[\w-]*) ", cmake):
        names.add("pkg-config", package)
    for component in re.search(r"set\(tensortap_components ([\w ]+)\)", cmake)[1].split():
        names.add("cmake-component", component)
    for component in re.findall(r"COMPONENT (\w+)", cmake + (ROOT / "examples/tensortap/CMakeLists.txt").read_text()):
        names.add("install-component", component)
    tool_names(names)
    return names.text()


def announced(changelog):
    """Returns the words in backticks below "### Changed" and "### Removed" of [Unreleased]."""
    unreleased = re.search(r"^## \[Unreleased\].*?(?=^## |\Z)", changelog, re.M | re.S)
    sections = re.findall(r"^### (?:Changed|Removed)\n(.*?)(?=^### |\Z)", unreleased[0] if unreleased else "", re.M | re.S)
    return {word.lstrip("-") for section in sections for span in re.findall(r"`([^`]+)`", section)
            for form in (r"[~\w]+", r"[~\w.-]+", r"operator ?[^\s(]+(?:\(\))?") for word in re.findall(form, span)}


def last_word(line):
    """Returns the name of a line of the list, without its namespace and class."""
    key = line.split(": ")[0].split(" ", 1)[1]
    return re.findall(r"operator ?\S+|[~\w.-]+", key)[-1].lstrip("-")


def lost(old, new):
    """Returns the lines of the list `old` that `new` lacks."""
    return sorted(set(old.splitlines()) - set(new.splitlines()))


def unannounced(old, new, changelog):
    """Returns the lines that are lost without a line in the changelog."""
    words = announced(changelog)
    return [line for line in lost(old, new) if last_word(line) not in words]


def complaint(old, new, changelog):
    """Returns what is wrong; empty: nothing."""
    silent = unannounced(old, new, changelog)
    if silent:
        return ("changed or gone, and not named in backticks below ### Changed or ### Removed of [Unreleased] in CHANGELOG.md:\n"
                + "".join(f"- {line}\n" for line in silent))
    if old != new:
        added = [f"+ {line}\n" for line in lost(new, old)] + [f"- {line}\n" for line in lost(old, new)]
        return f"tests/data/public_names.txt is not current; run {UPDATE}\n" + "".join(added)
    return ""


def names_in(text):
    names = Names()
    names.read_header("TENSORTAP_BEGIN_NAMESPACE\n" + text + "\nTENSORTAP_END_NAMESPACE\n")
    return names.text().splitlines()


class ReaderTest(unittest.TestCase):
    def test_bodies_comments_and_texts_are_no_names(self):
        self.assertEqual(names_in('''
            // int a;
            /* int b; } */
            inline constexpr const char* text = "int c; }";  ///< int d;
            inline auto more() { return R"(int e; } ")"; }
            template <class T> requires std::same_as<T, int>
            int add(T x, int y = f({1, 2})) { if (x) { int z = 0; return z; } struct Inner { int g; }; return y; }
            '''), [
            "function tensortap::add: template<class T> requires std::same_as<T, int> int add(T x, int y = f({1, 2}))",
            "function tensortap::more: inline auto more()",
            'variable tensortap::text: inline constexpr const char* text = "int c; }"'])

    def test_members(self):
        lines = names_in('''
            /// A class.
            class Shape final : public Base<int> {
             public:
              Shape() : a_(1), b_{2} { a_ = 3; }
              explicit Shape(int a) noexcept;
              ~Shape();
              template <JudgesSteps T>
              Shape(T rule) : Shape(name_of(rule), std::move(rule)) {}
              [[nodiscard]] const int& operator[](int i) const noexcept { return a_; }
              void operator()() {}
              explicit operator bool() const { return true; }
              friend bool operator==(const Shape&, const Shape&) = default;
              friend class Other;
              using Clock = std::chrono::steady_clock;
              std::function<int(int)> call = [](int x) { int hidden; return x; };
              static constexpr std::string_view name = "shape";
              struct [[nodiscard]] Nested { int field{}; std::vector<int> list = {}, more = std::map<int, int>{}; };
              virtual std::map<int, int> made(int x) = 0;
             protected:
              int kept;
             private:
              int a_, b_;
              struct Secret { int s; };
            };
            ''')
        self.assertEqual([line.split(":", 1)[0] + line[line.index(" tensortap") :].split(": ")[0] for line in lines], [
            f"{kind} tensortap tensortap::Shape{name}" for kind, name in [
                ("function", "::Shape"), ("function", "::Shape"), ("function", "::Shape"), ("function", "::made"),
                ("function", "::operator bool"), ("function", "::operator()"), ("function", "::operator=="),
                ("function", "::operator[]"), ("function", "::~Shape"), ("type", ""), ("type", "::Nested"),
                ("using", "::Clock"), ("variable", "::Nested::field"), ("variable", "::Nested::list"), ("variable", "::Nested::more"),
                ("variable", "::call"), ("variable", "::kept"), ("variable", "::name")]])

    def test_types_and_rooms(self):
        self.assertEqual(names_in('''
            struct Declared;
            namespace detail { struct Room { int x; }; inline int hidden() { return 1; } }
            enum class Color : std::uint8_t { red, green = 5, blue = f(1, 2) };
            template <class T>
            concept Has = requires(const T& t) { t.rows(); } || requires(const T& t) { t.rows; };
            namespace inner { inline constexpr int x{3}; }
            #define TENSORTAP_THING(a, b) \\
              do_it
            #if A
            int first();
            #else
            int second();
            #endif
            bool after();
            '''), [
            "concept tensortap::Has: template<class T> concept Has = requires(const T& t) {t.rows();} || "
            "requires(const T& t) {t.rows;}",
            "enumerator tensortap::Color::blue: = f(1, 2) #2",
            "enumerator tensortap::Color::green: = 5 #1",
            "enumerator tensortap::Color::red: #0",
            "function tensortap::after: bool after()",
            "function tensortap::first: int first()",
            "macro TENSORTAP_THING(a, b)",
            "type tensortap::Color: enum class Color:std::uint8_t",
            "variable tensortap::inner::x: inline constexpr int x {3}"])


class ListTest(unittest.TestCase):
    OLD = "function tensortap::Hook::close: void close()\nheader <tensortap/x.hpp>\ntool-option show --all\n"

    def changelog(self, line, heading="Removed"):
        return f"# Changelog\n\n## [Unreleased] 0.2.0\n\n### {heading}\n\n{line}\n\n## 0.1.0\n\n### Removed\n\n- `x.hpp`\n"

    def test_the_list_is_current(self):
        old = LIST.read_text(encoding="utf-8") if LIST.exists() else ""
        wrong = complaint(old, current(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
        self.assertFalse(wrong, wrong)

    @unittest.skipUnless(os.environ.get("TENSORTAP_COMMAND"), "TENSORTAP_COMMAND is not set")
    def test_the_tool_says_the_same(self):
        def help_of(*command):
            return subprocess.run([os.environ["TENSORTAP_COMMAND"], *command, "--help"], capture_output=True, text=True,
                                  check=True, timeout=60).stdout

        listed = {tuple(line.split(": ")[0].split(" ")[:3]) for line in current().splitlines()}
        commands = re.findall(r"^  ([a-z]+) ", help_of().split("Subcommands:")[1].split("Examples:")[0], re.M)
        self.assertEqual({("command", command) for command in commands}, {line for line in listed if line[0] == "command"})
        told = set()
        for command in commands:
            text = re.split(r"^Examples:", help_of(command), flags=re.M)[0]
            for option in re.findall(r"^ {2,6}(?:-\w,)?(--[\w-]+|[A-Z][A-Z0-9]+)\b", text, re.M):
                if option != "--help":
                    lines = {("tool-option", owner, option) for owner in (command, "shared")} & listed
                    self.assertTrue(lines, f"{command} {option}")
                    told |= lines
        self.assertEqual(told, {line for line in listed if line[0] == "tool-option"})

    def test_a_lost_name_needs_a_line_of_its_own_in_the_unreleased_part(self):
        for gone, line in (("function", "- `Hook::close()` is gone"), ("header", "- `<tensortap/x.hpp>`"),
                           ("tool-option", "- `tensortap show --all`")):
            new = "".join(part for part in self.OLD.splitlines(True) if not part.startswith(gone))
            with self.subTest(gone=gone):
                self.assertIn(gone, complaint(self.OLD, new, self.changelog("- something `else`")))
                self.assertIn(gone, complaint(self.OLD, new, self.changelog(line, "Added")))
                self.assertIn(UPDATE, complaint(self.OLD, new, self.changelog(line)))
                self.assertEqual(unannounced(self.OLD, new, self.changelog(line)), [])

    def test_a_changed_declaration_is_a_lost_name(self):
        new = self.OLD.replace("close()", "close(int timeout)")
        self.assertIn("void close()", complaint(self.OLD, new, self.changelog("")))
        self.assertEqual(unannounced(self.OLD, new, self.changelog("- `Hook::close` takes a timeout", "Changed")), [])

    def test_a_new_name_needs_only_the_list(self):
        self.assertIn(UPDATE, complaint(self.OLD, self.OLD + "type tensortap::New: struct New\n", self.changelog("")))
        self.assertEqual(complaint(self.OLD, self.OLD, self.changelog("")), "")


class PromiseTest(unittest.TestCase):
    """The places that name the version agree, and the package and the symbols keep what CHANGELOG.md promises."""

    def text(self, path):
        return (ROOT / path).read_text(encoding="utf-8")

    def test_one_version_everywhere(self):
        header = self.text("include/tensortap/version.hpp")
        version = re.search(r'TENSORTAP_VERSION "([0-9.]+)"', header)[1]
        self.assertEqual(re.findall(r"VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header), version.split("."))
        self.assertEqual(re.findall(r"^## \[?(?:Unreleased\] )?([0-9.]+)", self.text("CHANGELOG.md"), re.M)[0], version)
        self.assertIn(f"GIT_TAG v{version}\n", self.text("README.md"))
        namespace = "v" + "_".join(version.split(".")[:2])
        self.assertIn(f"`tensortap::{namespace}`", self.text("CHANGELOG.md"))
        for path in ("include/tensortap/internal/config.hpp", "single_include/tensortap/tensortap.hpp"):
            self.assertEqual(re.findall(r"inline namespace (v\w+)", self.text(path)), [namespace], path)

    def test_the_package_serves_the_versions_that_keep_its_names(self):
        self.assertIn("COMPATIBILITY SameMinorVersion", self.text("CMakeLists.txt"))
        self.assertIn("add_library(tensortap_compiled STATIC ", self.text("CMakeLists.txt"))

    def test_every_header_opens_the_inline_namespace(self):
        for path in sorted(INCLUDE.rglob("*.hpp")):
            text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
            self.assertIsNone(re.search(r"namespace tensortap\b(?!.*\\$)", text, re.M), path)


def update():
    old, new = LIST.read_text(encoding="utf-8") if LIST.exists() else "", current()
    silent = unannounced(old, new, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    if silent:
        sys.exit("not written: " + complaint(old, new, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    LIST.write_text(new, encoding="utf-8")
    print(f"{LIST.relative_to(ROOT)}: {len(new.splitlines())} lines, {len(lost(new, old))} new, {len(lost(old, new))} gone")


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        unittest.main()
