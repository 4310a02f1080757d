#!/usr/bin/env python3
"""Reads a run as narrowly as Python's smdebug does, and says what smdebug would stumble over.

usage: strict_reader.py RUN [--json] [--canonical] [--allow-gaps] [--refuse KIND]...

Prints "ok: N steps, M tensors, K notes" and exits 0, or one line "PATH: cause (values)" for each error
and exits 1. Notes are things that smdebug opens but handles badly, see NOTE_KINDS; --refuse makes errors
of those of one kind. --canonical also asks for the very bytes that Python would write: JSON text, order of
protobuf fields, absent defaults, names of dimensions. --json prints what was seen.

Written from a description of the file format alone, and shares nothing with the library it judges.
"""
import argparse
import contextlib
import hashlib
import json
import math
import os
import re
import struct
import sys

MODES = {"TRAIN": "1", "EVAL": "2", "PREDICT": "3", "GLOBAL": "4"}
NOTE_KINDS = {
    "dtype": "smdebug writes this dtype but cannot read it, or reads it as another",
    "empty": "smdebug cannot give back an empty tensor",
    "raw-and-shape": "listed with value and shape, so smdebug loses the value",
    "repeated": "listed twice in one file, the later one wins",
    "mode-step": "two global steps have the same mode and mode step, so smdebug gives the later one's values for both",
    "mode": "the record says another mode or mode step than its index file",
    "temporary": "left-over temporary file",
    "unindexed": "event file, or steps in one, without an index file: no reader finds them",
    "collections": "workers disagree about the collections",
}

# number: (name, bytes of one element, whether smdebug reads back what it wrote)
DTYPES = {
    1: ("float32", 4, True), 2: ("float64", 8, True), 3: ("int32", 4, True), 4: ("uint8", 1, True),
    5: ("int16", 2, False), 6: ("int8", 1, False), 8: ("complex64", 8, False), 9: ("int64", 8, True),
    10: ("bool", 1, True), 14: ("bfloat16", 2, False), 17: ("uint16", 2, False), 18: ("complex128", 16, True),
    19: ("float16", 2, True), 22: ("uint32", 4, False), 23: ("uint64", 8, False),
}


class Bad(Exception):
    """Something that smdebug, or this reader on its behalf, refuses."""


def check(condition, cause, *values):
    if not condition:
        raise Bad(cause + (" (" + ", ".join(repr(v) for v in values) + ")" if values else ""))


# ---- checksums and records ----

def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def masked_crc(data):
    """CRC-32C (Castagnoli), rotated and offset as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# Not a checksum of the payload: smdebug asks for these four bytes in every record of events/.
FOOTER = struct.pack("<I", masked_crc(b"0x12345678"))
FRAMING = 16


def payload_at(data, start, length):
    """The payload of the record at `start`, whose framing must be right and whose whole length is `length`."""
    check(start + FRAMING <= len(data), "record begins beyond the end of the file", start, len(data))
    (size,) = struct.unpack_from("<Q", data, start)
    (crc,) = struct.unpack_from("<I", data, start + 8)
    want = masked_crc(data[start:start + 8])
    check(crc == want, "wrong checksum of the record's length", start, hex(crc), hex(want))
    check(size + FRAMING == length, "record has another length than the index says", start, size + FRAMING, length)
    check(start + length <= len(data), "record ends beyond the end of the file", start + length, len(data))
    return data[start + 12:start + 12 + size]


def check_constant_footer(data, start, length):
    footer = data[start + length - 4:start + length]
    check(footer == FOOTER, "footer is not the constant that smdebug asks for", start, footer.hex(), FOOTER.hex())


# ---- protobuf ----

# message: {field number: (name, type)}; a type is a scalar, a message, or a repeated one of them in brackets.
SCHEMA = {
    "Event": {1: ("wall_time", "double"), 2: ("step", "int64"), 3: ("file_version", "string"),
              4: ("graph_def", "bytes"), 5: ("summary", "Summary"), 6: ("log_message", "LogMessage"),
              7: ("session_log", "SessionLog"), 8: ("tagged_run_metadata", "TaggedRunMetadata"),
              9: ("meta_graph_def", "bytes")},
    "LogMessage": {1: ("level", "enum"), 2: ("message", "string")},
    "SessionLog": {1: ("status", "enum"), 2: ("checkpoint_path", "string"), 3: ("msg", "string")},
    "TaggedRunMetadata": {1: ("tag", "string"), 2: ("run_metadata", "bytes")},
    "Summary": {1: ("value", "[Value]")},
    "Value": {1: ("tag", "string"), 2: ("simple_value", "float"), 3: ("obsolete_old_style_histogram", "bytes"),
              4: ("image", "Image"), 5: ("histo", "HistogramProto"), 6: ("audio", "Audio"),
              7: ("node_name", "string"), 8: ("tensor", "TensorProto"), 9: ("metadata", "SummaryMetadata")},
    "Image": {1: ("height", "int32"), 2: ("width", "int32"), 3: ("colorspace", "int32"),
              4: ("encoded_image_string", "bytes")},
    "Audio": {1: ("sample_rate", "float"), 2: ("num_channels", "int64"), 3: ("length_frames", "int64"),
              4: ("encoded_audio_string", "bytes"), 5: ("content_type", "string")},
    "SummaryMetadata": {1: ("plugin_data", "[PluginData]")},
    "PluginData": {1: ("plugin_name", "string"), 2: ("content", "string")},
    "HistogramProto": {1: ("min", "double"), 2: ("max", "double"), 3: ("num", "double"), 4: ("sum", "double"),
                       5: ("sum_squares", "double"), 6: ("bucket_limit", "[double]"), 7: ("bucket", "[double]")},
    "TensorProto": {1: ("dtype", "enum"), 2: ("tensor_shape", "TensorShapeProto"), 3: ("version_number", "int32"),
                    4: ("tensor_content", "bytes"), 5: ("float_val", "[float]"), 6: ("double_val", "[double]"),
                    7: ("int_val", "[int32]"), 8: ("string_val", "[bytes]"), 9: ("scomplex_val", "[float]"),
                    10: ("int64_val", "[int64]"), 11: ("bool_val", "[bool]"), 12: ("dcomplex_val", "[double]"),
                    13: ("half_val", "[int32]"), 14: ("resource_handle_val", "[ResourceHandleProto]")},
    "ResourceHandleProto": {1: ("device", "string"), 2: ("container", "string"), 3: ("name", "string"),
                            4: ("hash_code", "int64"), 5: ("maybe_type_name", "string")},
    "TensorShapeProto": {2: ("dim", "[Dim]"), 3: ("unknown_rank", "bool")},
    "Dim": {1: ("size", "int64"), 2: ("name", "string")},
}
ONEOFS = {
    "Event": {"file_version", "graph_def", "summary", "log_message", "session_log", "tagged_run_metadata",
              "meta_graph_def"},
    "Value": {"simple_value", "obsolete_old_style_histogram", "image", "histo", "audio", "tensor"},
}
VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
WIRE_TYPES = {"double": FIXED64, "float": FIXED32, "int64": VARINT, "int32": VARINT, "enum": VARINT, "bool": VARINT}


def is_default(value):
    """Minus zero is not the default: proto3 goes by the bits."""
    return value in (0, "", b"") and not (isinstance(value, float) and math.copysign(1, value) < 0)


def read_varint(data, at, canonical):
    value = 0
    for count in range(10):
        check(at + count < len(data), "protobuf: cut off within a varint", at)
        byte = data[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            check(value < 1 << 64, "protobuf: varint beyond 64 bits", at)
            check(not canonical or count == 0 or byte, "protobuf: varint longer than needed", at)
            return value, at + count + 1
    raise Bad(f"protobuf: varint longer than ten bytes ({at})")


def read_bytes(data, at, size):
    check(at + size <= len(data), "protobuf: field ends beyond its message", at, size, len(data))
    return data[at:at + size], at + size


def signed(value, kind):
    value -= (value >> 63) << 64
    check(kind == "int64" or -1 << 31 <= value < 1 << 31, "protobuf: beyond 32 bits", value)
    return value


def read_scalar(data, at, kind, canonical):
    if kind == "double":
        raw, at = read_bytes(data, at, 8)
        return struct.unpack("<d", raw)[0], at
    if kind == "float":
        raw, at = read_bytes(data, at, 4)
        return struct.unpack("<f", raw)[0], at
    value, at = read_varint(data, at, canonical)
    if kind == "bool":
        check(value < 2, "protobuf: bool is neither 0 nor 1", value)
        return bool(value), at
    return signed(value, kind), at


def read_packed(raw, kind, canonical):
    values, at = [], 0
    while at < len(raw):
        value, at = read_scalar(raw, at, kind, canonical)
        values.append(value)
    return values


def as_text(raw, what):
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Bad(f"{what}: not UTF-8 ({error.reason}, {error.start})") from None


def read_delimited(raw, kind, name, canonical):
    if kind in SCHEMA:
        return decode(raw, kind, canonical)
    return as_text(raw, "protobuf: " + name) if kind == "string" else bytes(raw)


def read_field(data, at, kind, repeated, name, canonical):
    """The value, or for packed fields the list of values, and where the next field begins."""
    if kind in WIRE_TYPES and not repeated:
        return read_scalar(data, at, kind, canonical)
    size, at = read_varint(data, at, canonical)
    raw, at = read_bytes(data, at, size)
    return (read_packed if kind in WIRE_TYPES else lambda *a: read_delimited(raw, kind, name, canonical))(
        raw, kind, canonical), at


def store_field(message, fields, name, repeated, packed, value):
    if repeated:
        check(not packed or name not in fields, f"protobuf: {message}.{name} is given twice")
        fields.setdefault(name, []).extend(value if packed else [value])
        return
    check(name not in fields, f"protobuf: {message}.{name} is given twice")
    others = ONEOFS.get(message, set()) & fields.keys()
    check(name not in ONEOFS.get(message, set()) or not others, f"protobuf: {message} has {name} and", *others)
    fields[name] = value


def decode(data, message, canonical=False):
    """The fields of a message by name; an absent field is absent here too. Nothing unknown is let through."""
    fields, at, last = {}, 0, 0
    while at < len(data):
        key, at = read_varint(data, at, canonical)
        number, wire = key >> 3, key & 7
        check(number in SCHEMA[message], f"protobuf: unknown field of {message}", number)
        name, kind = SCHEMA[message][number]
        repeated = kind.startswith("[")
        kind = kind.strip("[]")
        packed = repeated and kind in WIRE_TYPES
        want = DELIMITED if repeated else WIRE_TYPES.get(kind, DELIMITED)
        check(wire == want, f"protobuf: wire type of {message}.{name}", wire, want)
        value, at = read_field(data, at, kind, repeated, name, canonical)
        store_field(message, fields, name, repeated, packed, value)
        if canonical:
            check(number >= last, f"protobuf: {message}.{name} comes after a later field", number, last)
            dull = not repeated and kind not in SCHEMA and name not in ONEOFS.get(message, set())
            check(not dull or not is_default(value), f"protobuf: {message}.{name} is given though it is the default")
        last = number
    return fields


# ---- JSON ----

def _no_repeated_keys(pairs):
    keys = [key for key, _ in pairs]
    check(len(set(keys)) == len(keys), "JSON: a key is given twice", *sorted(k for k in keys if keys.count(k) > 1)[:1])
    return dict(pairs)


def _no_constant(text):
    raise Bad(f"JSON: not a number ({text})")


def parse_json(data):
    text = as_text(data, "JSON")
    check(text.strip(), "empty file")
    try:
        return json.loads(text, object_pairs_hook=_no_repeated_keys, parse_constant=_no_constant)
    except ValueError as error:
        raise Bad(f"JSON: {error}") from None


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_list_of(kind):
    return lambda value: isinstance(value, list) and all(kind(v) for v in value)


def is_text(value):
    return isinstance(value, str)


def is_bool(value):
    return isinstance(value, bool)


def is_count(value):
    return is_int(value) and value >= 0


def check_object(value, where, fields, ours=()):
    """An object with exactly these fields, each of which its predicate accepts; perhaps with keys of ours.

    smdebug ignores keys it does not know here; only those that tensortap is known to write are no mistake.
    """
    check(isinstance(value, dict), f"{where} is not an object", value)
    for name, accepts in fields.items():
        check(name in value, f"{where} has no {name}")
        check(accepts(value[name]), f"{where}: {name} is of the wrong kind", value[name])
    for name in value:
        check(name in fields or name in ours, f"{where} has an unknown key", name)


# ---- the run ----

class Run:
    """What has been seen of a run, and what is wrong with it."""

    def __init__(self, root, canonical=False, allow_gaps=False, refuse=()):
        self.root, self.canonical, self.allow_gaps, self.refuse = root, canonical, allow_gaps, set(refuse)
        self.errors, self.notes = [], []
        self.ended, self.num_workers, self.collections = False, None, {}
        self.event_files = {}  # by path: the steps in it, with the entries of their index files
        self.index_files = []  # {"step", "worker", "mode", "mode_step", "records", "shapes"}

    @contextlib.contextmanager
    def judging(self, path):
        """Whatever is refused inside becomes an error of the file at `path`."""
        try:
            yield
        except Bad as error:
            self.errors.append(f"{path}: {error}")

    def note(self, kind, path, text):
        where = self.errors if kind in self.refuse else self.notes
        where.append(f"{path}: {NOTE_KINDS[kind]} ({text})")

    def read(self, path):
        try:
            with open(os.path.join(self.root, path), "rb") as file:
                return file.read()
        except OSError as error:
            raise Bad(f"cannot be read ({error.strerror})") from None

    def files_below(self, folder):
        """All files below a folder of the run, by their path in the run, sorted."""
        found = []
        for where, _, names in os.walk(os.path.join(self.root, folder)):
            found += [os.path.relpath(os.path.join(where, name), self.root).replace(os.sep, "/") for name in names]
        return sorted(found)

    def lasting_files_below(self, folder):
        """The same without temporary files, which smdebug's patterns do not match."""
        files = self.files_below(folder)
        for path in files:
            if path.endswith(".tmp"):
                self.note("temporary", path, os.path.basename(path))
        return [path for path in files if not path.endswith(".tmp")]


def read_run(root, **options):
    run = Run(root, **options)
    with run.judging("."):
        check(os.path.isdir(root), "no such directory")
        read_end_marker(run)
        read_collections(run)
        read_index_files(run)
        check_covers(run)
        check_index_workers(run)
        note_repeated_mode_steps(run)
        read_event_folder(run)
        read_tensorboard(run)
    return run


def read_end_marker(run):
    run.ended = os.path.exists(os.path.join(run.root, "training_job_end.ts"))
    # smdebug asks only whether they are there: what ours say in them is for us.
    for name in ("training_job_end.ts", "claim.smd"):
        if os.path.lexists(os.path.join(run.root, name)):
            with run.judging(name):
                run.read(name)


# ---- names of step files ----

STEP_FILE = re.compile(r"(events|index)/(\d+)/((\d+)_(.+)\.(json|tfevents))$")


def step_and_worker(path):
    """Step and worker of an index or event file, whose name must be spelled in the one right way."""
    match = STEP_FILE.match(path)
    check(match, "not the name of a step's file")
    kind, folder, _, digits, worker, ending = match.groups()
    step = int(digits)
    check(digits == f"{step:012d}", "step is not padded to 12 digits", digits)
    check(ending == ("json" if kind == "index" else "tfevents"), "wrong ending", ending)
    right = f"{step // 1000:09d}" if kind == "index" else f"{step:012d}"
    check(folder == right, "in the wrong folder", folder, right)
    return step, worker


# ---- index files ----

IS_TENSOR_ENTRY = {"tensorname": is_text, "start_idx": is_count, "length": is_count}
IS_SHAPE_ENTRY = {"tensorname": is_text, "originalname": is_text, "shape": is_list_of(is_count)}


def read_index_files(run):
    for path in run.lasting_files_below("index"):
        with run.judging(path):
            read_index_file(run, path)


def read_index_file(run, path):
    step, worker = step_and_worker(path)
    data = run.read(path)
    index = parse_json(data)
    check(isinstance(index, dict), "not an object")
    for key in index:
        check(key in ("meta", "tensor_payload", "shape_payload"), "unknown key", key)
    check("tensor_payload" in index or "shape_payload" in index, "neither tensor_payload nor shape_payload")
    tensors, shapes = index.get("tensor_payload", []), index.get("shape_payload", [])
    mode, mode_step, event_file = read_meta(index.get("meta"), bool(tensors))
    check_entries(tensors, "tensor_payload", IS_TENSOR_ENTRY)
    check_entries(shapes, "shape_payload", IS_SHAPE_ENTRY)
    if run.canonical:
        check(data == canonical_index(index).encode(), "not the text that Python would write")
    note_doubled_names(run, path, tensors, shapes)
    seen = {"path": path, "step": step, "worker": worker, "mode": mode, "mode_step": mode_step,
            "shapes": {entry["tensorname"]: entry["shape"] for entry in shapes}, "records": []}
    run.index_files.append(seen)
    if tensors:
        check_event_file_name(event_file, step, worker)
        read_event_file(run, event_file, tensors, seen)


def check_event_file_name(event_file, step, worker):
    """Several steps of a worker may share one, which is named by the first of them."""
    try:
        first, its_worker = step_and_worker(event_file)
    except Bad:
        first, its_worker = None, None
    check(event_file.startswith("events/") and its_worker == worker and first <= step, "names another event file", event_file)


def check_index_workers(run):
    for seen in run.index_files:
        with run.judging(seen["path"]):
            check(seen["worker"] in run.collections, "worker has no collections file", seen["worker"])


def note_repeated_mode_steps(run):
    first = {}
    for seen in sorted(run.index_files, key=lambda seen: seen["step"]):
        mode = seen["mode"], seen["mode_step"]
        if first.setdefault(mode, seen["step"]) != seen["step"]:
            run.note("mode-step", seen["path"], "steps {} and {}, {} {}".format(first[mode], seen["step"], *mode))


def read_meta(meta, has_tensors):
    check(isinstance(meta, dict) and meta, "meta is missing or empty", meta)
    fields = {"mode": is_text, "mode_step": is_int}
    if has_tensors or "event_file_name" in meta:
        fields["event_file_name"] = is_text
    check_object(meta, "meta", fields, ours=("run",))
    check(meta["mode"] in MODES, "unknown mode", meta["mode"])
    check(meta["mode_step"] >= 0, "negative mode step, so the whole run cannot be opened", meta["mode_step"])
    return meta["mode"], meta["mode_step"], meta.get("event_file_name")


def check_entries(entries, where, fields):
    check(isinstance(entries, list), f"{where} is not an array", entries)
    for position, entry in enumerate(entries):
        check_object(entry, f"{where}[{position}]", fields, ours=("crc32c",))


def in_order(fields, names):
    return {name: fields[name] for name in names if name in fields}


def canonical_index(index):
    """Python's default separators and escapes, and the order in which smdebug makes the keys."""
    whole = {"meta": in_order(index["meta"], ("mode", "mode_step", "event_file_name")),
             "tensor_payload": [in_order(e, IS_TENSOR_ENTRY) for e in index.get("tensor_payload", [])],
             "shape_payload": [in_order(e, IS_SHAPE_ENTRY) for e in index.get("shape_payload", [])]}
    return json.dumps(whole)


def note_doubled_names(run, path, tensors, shapes):
    names = [entry["tensorname"] for entry in tensors]
    for name in sorted(set(n for n in names if names.count(n) > 1)):
        run.note("repeated", path, name)
    for name in sorted(set(names) & {entry["tensorname"] for entry in shapes}):
        run.note("raw-and-shape", path, name)


# ---- event files ----

def read_event_file(run, path, entries, seen):
    with run.judging(path):
        data = run.read(path)
        run.event_files.setdefault(path, []).append((seen["step"], entries))
        for position, entry in enumerate(entries):
            with run.judging(path):
                seen["records"].append(read_record(run, path, data, entry, seen, position == 0))


def check_covers(run):
    if run.allow_gaps:
        return
    for path, parts in run.event_files.items():
        with run.judging(path):
            data = run.read(path)
            entries = [entry for _, entries in parts for entry in entries]
            size = len(data) - later_records(run, path, data, entries, max(step for step, _ in parts))
            check_cover(entries, size)


def later_records(run, path, data, entries, step):
    """The bytes of records behind the last one listed that are of later steps: their index files were yet to come."""
    begin = at = max(entry["start_idx"] + entry["length"] for entry in entries)
    try:
        while at < len(data):
            length = FRAMING + int.from_bytes(data[at:at + 8], "little")
            if decode(payload_at(data, at, length), "Event").get("step", 0) <= step:
                return 0
            at += length
    except Bad:
        return 0
    if at > begin:
        run.note("unindexed", path, f"{at - begin} bytes of steps after {step}")
    return at - begin


def check_cover(entries, size):
    """The records lie side by side and fill the file."""
    end = 0
    for start, length in sorted((e["start_idx"], e["length"]) for e in entries):
        check(start <= end, "bytes that the index does not list", end, start)
        check(start == end, "records overlap", start, end)
        end = start + length
    check(end == size, "bytes that the index does not list", end, size)


def read_record(run, path, data, entry, seen, is_first):
    name, start, length = entry["tensorname"], entry["start_idx"], entry["length"]
    payload = payload_at(data, start, length)
    check_constant_footer(data, start, length)
    event = decode(payload, "Event", run.canonical)
    check("summary" in event, "event without a summary", name)
    check(event.get("step", 0) == seen["step"], "record of another step", name, event.get("step", 0), seen["step"])
    check(math.isfinite(event.get("wall_time", 0.0)), "wall time is not a number", name)
    values = event["summary"].get("value", [])
    check(len(values) == 1, "not exactly one value in the record", name, len(values))
    check(values[0].get("tag", "") == name, "tag is not the name in the index", values[0].get("tag", ""), name)
    check_plugin_data(run, path, name, values[0], seen, is_first)
    check("tensor" in values[0], "value without a tensor", name)
    return {"name": name, "wall_time": event.get("wall_time", 0.0), **read_tensor(run, path, name, values[0]["tensor"])}


def check_plugin_data(run, path, name, value, seen, is_first):
    plugins = value.get("metadata", {}).get("plugin_data", [])
    names = [plugin.get("plugin_name") for plugin in plugins]
    check(names == ["mode_step", "mode"], "plugin data are not mode_step and mode", name, names)
    mode_step, mode = (plugin.get("content", "") for plugin in plugins)
    check(re.fullmatch(r"-?\d+", mode_step), "mode_step is not a number", name, mode_step)
    check(mode in MODES.values(), "unknown mode", name, mode)
    same = (mode, int(mode_step)) == (MODES[seen["mode"]], seen["mode_step"])
    check(same or not is_first, "first record has not the mode and mode step of the index", name, mode, mode_step)
    if not same:
        run.note("mode", path, f"{name!r}, mode {mode}, mode step {mode_step}")


UNUSED_VALUES = ("version_number", "float_val", "double_val", "int_val", "scomplex_val", "int64_val", "bool_val",
                 "dcomplex_val", "half_val", "resource_handle_val")


def read_tensor(run, path, name, tensor):
    check("tensor_shape" in tensor, "tensor without a shape", name)
    for field in UNUSED_VALUES:
        check(field not in tensor, "smdebug never writes this field", name, field)
    shape = read_shape(run, name, tensor["tensor_shape"])
    if tensor.get("dtype", 0) == 0:
        return read_strings(name, tensor, shape)
    check("string_val" not in tensor, "string_val beside a dtype", name, tensor["dtype"])
    check(tensor["dtype"] in DTYPES, "unknown dtype", name, tensor["dtype"])
    dtype, item_size, readable = DTYPES[tensor["dtype"]]
    content = tensor.get("tensor_content", b"")
    check(len(content) == item_size * math.prod(shape), "content does not fit the shape", name, len(content), dtype, shape)
    if not readable:
        run.note("dtype", path, f"{name!r}, {dtype}")
    if not content:
        run.note("empty", path, f"{name!r}, {dtype}, {shape}")
    return {"dtype": dtype, "shape": shape, "content": content}


def read_shape(run, name, message):
    check("unknown_rank" not in message, "shape of unknown rank", name)
    shape = []
    for dim in message.get("dim", []):
        size = dim.get("size", 0)
        check(size >= 0, "negative extent", name, size)
        want = f"{name}_{size}"
        check(not run.canonical or dim.get("name") == want, "dimension has another name", dim.get("name"), want)
        shape.append(size)
    return shape


def read_strings(name, tensor, shape):
    check("tensor_content" not in tensor, "content without a dtype", name)
    texts = [as_text(raw, "string_val") for raw in tensor.get("string_val", [])]
    check(shape == [len(texts)], "number of strings does not fit the shape", name, len(texts), shape)
    return {"dtype": "str", "shape": shape, "list": texts}


def read_event_folder(run):
    """Event files are found through the index only; others are merely noted, if they are named well."""
    indexed = {(seen["step"], seen["worker"]) for seen in run.index_files}
    for path in run.lasting_files_below("events"):
        with run.judging(path):
            step, worker = step_and_worker(path)
            if (step, worker) not in indexed:
                run.note("unindexed", path, f"step {step}, {worker}")


# ---- TensorBoard files ----

TENSORBOARD_FILE = re.compile(r"tensorboard/(TRAIN|EVAL|PREDICT|GLOBAL)/\d{12,}_.+\.tfevents$")


def read_tensorboard(run):
    for path in run.lasting_files_below("tensorboard"):
        with run.judging(path):
            check(TENSORBOARD_FILE.match(path), "not the name of a TensorBoard file")
            read_tensorboard_file(run, run.read(path))


def read_tensorboard_file(run, data):
    """Unlike event files these carry true checksums, and no index says where records begin."""
    start = 0
    while start < len(data):
        check(start + FRAMING <= len(data), "cut off within a record", start, len(data))
        length = struct.unpack_from("<Q", data, start)[0] + FRAMING
        payload = payload_at(data, start, length)
        (crc,) = struct.unpack_from("<I", data, start + length - 4)
        check(crc == masked_crc(payload), "wrong checksum of the payload", start, hex(crc), hex(masked_crc(payload)))
        for value in decode(payload, "Event", run.canonical).get("summary", {}).get("value", []):
            check_summary_value(value)
        start += length


def check_summary_value(value):
    tag = value.get("tag", "")
    check(re.fullmatch(r"[-/\w.]+", tag) and not tag.startswith("/"), "tag that TensorBoard would not take", tag)
    check("simple_value" in value or "histo" in value, "neither a number nor a histogram", tag)
    if "histo" not in value:
        return
    limits, counts = (value["histo"].get(name, []) for name in ("bucket_limit", "bucket"))
    check(limits and len(limits) == len(counts), "buckets do not fit their limits", tag, len(limits), len(counts))
    check(limits == sorted(limits), "bucket limits do not rise", tag)
    check(sum(counts) == value["histo"].get("num", 0.0), "buckets do not add up to num", tag, sum(counts))


# ---- collections ----

COLLECTIONS_FILE = re.compile(r"collections/000000000/(.+)_collections\.json$")
REDUCTION = re.compile(r"(abs_)?(min|max|mean|std|variance|sum|prod|l[12]_norm)$")


def read_collections(run):
    for path in run.lasting_files_below("collections"):
        with run.judging(path):
            match = COLLECTIONS_FILE.match(path)
            check(match, "not the name of a collections file")
            run.collections[match[1]] = read_collections_file(run.read(path))
    check_workers(run)


def check_workers(run):
    with run.judging("collections"):
        check(run.collections, "no collections file, and smdebug waits for one for ever")
        told = {file["_meta"]["num_workers"] for file in run.collections.values()}
        check(len(told) == 1, "files disagree about num_workers", *sorted(told))
        run.num_workers = told.pop()
        check(len(run.collections) == run.num_workers, "not as many files as workers", len(run.collections), run.num_workers)
        first, *others = run.collections.values()
        if any(other != first for other in others):
            run.note("collections", "collections", ", ".join(run.collections))


def read_collections_file(data):
    file = parse_json(data)
    check_object(file, "file", {"collections": lambda v: isinstance(v, dict), "_meta": lambda v: isinstance(v, dict)})
    check_object(file["_meta"], "_meta", {"num_workers": lambda v: is_int(v) and v > 0})
    for name, collection in file["collections"].items():
        check_collection(name, collection)
    return file


def is_null_or(kind):
    return lambda value: value is None or kind(value)


def is_object(value):
    return isinstance(value, dict)


def check_collection(name, collection):
    where = f"collection {name!r}"
    check_object(collection, where, {
        "name": is_text, "include_regex": is_list_of(is_text), "tensor_names": is_list_of(is_text),
        "reduction_config": is_null_or(is_object), "save_config": is_null_or(is_object), "save_histogram": is_bool},
        ours=("statistics", "save_clauses"))
    check(collection["name"] == name, f"{where} calls itself otherwise", collection["name"])
    names = collection["tensor_names"]
    check(names == sorted(set(names)), f"{where}: tensor_names are not sorted or not unique")
    for pattern in collection["include_regex"]:
        check_pattern(where, pattern)
    if collection["reduction_config"] is not None:
        check_reduction_config(where, collection["reduction_config"])
    if collection["save_config"] is not None:
        check_save_config(where, collection["save_config"])
    for mode, clauses in collection.get("save_clauses", {}).items():
        check(len(clauses) > 1, f"{where}: save_clauses of {mode} are fewer than two", clauses)
        for clause in clauses:
            check_save_config(where, {mode: clause})


def check_pattern(where, pattern):
    try:
        re.compile(pattern)
    except re.error as error:
        raise Bad(f"{where}: not a regular expression ({pattern!r}, {error})") from None


def check_reduction_config(where, config):
    check_object(config, f"{where}: reduction_config",
                 {"save_raw_tensor": is_bool, "reductions": is_text, "save_shape": is_bool})
    names = config["reductions"].split(",") if config["reductions"] else []
    for name in names:
        check(REDUCTION.match(name), f"{where}: unknown reduction", name)
    check(len(set(names)) == len(names), f"{where}: a reduction is given twice", config["reductions"])


def check_save_config(where, config):
    for mode, steps in config.items():
        check(mode in MODES, f"{where}: save_config has an unknown mode", mode)
        if steps is not None:
            check_object(steps, f"{where}: save_config of {mode}",
                         {"save_interval": lambda v: is_int(v) and v > 0, "save_steps": is_list_of(is_int),
                          "start_step": is_int, "end_step": is_null_or(is_int)})


# ---- what was seen ----

def seen_record(record):
    if record["dtype"] == "str":
        return {"dtype": "str", "shape": record["shape"], "list": record["list"]}
    return {"dtype": record["dtype"], "shape": record["shape"], "sha256": hashlib.sha256(record["content"]).hexdigest()}


def seen_tensors(run):
    """{name: {global step: {worker: what was seen}}}; reductions appear under the names of their records."""
    tensors = {}
    for seen in run.index_files:
        for name, shape in seen["shapes"].items():
            tensors.setdefault(name, {}).setdefault(str(seen["step"]), {})[seen["worker"]] = {"shape": shape}
        for record in seen["records"]:
            by_worker = tensors.setdefault(record["name"], {}).setdefault(str(seen["step"]), {})
            by_worker[seen["worker"]] = seen_record(record)
    return tensors


def summary(run):
    workers = sorted({seen["worker"] for seen in run.index_files})
    return {"ended": run.ended, "num_workers": run.num_workers, "workers": workers,
            "steps": {str(seen["step"]): [seen["mode"], seen["mode_step"]] for seen in run.index_files},
            "tensors": seen_tensors(run), "notes": run.notes, "errors": run.errors}


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Reads a run as narrowly as Python's smdebug does.")
    parser.add_argument("run")
    parser.add_argument("--json", action="store_true", help="print what was seen")
    parser.add_argument("--canonical", action="store_true", help="ask for the very bytes that Python would write")
    parser.add_argument("--allow-gaps", action="store_true", help="let event files hold bytes that no index lists")
    parser.add_argument("--refuse", action="append", default=[], choices=sorted(NOTE_KINDS), help="make errors of notes")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    run = read_run(options.run, canonical=options.canonical, allow_gaps=options.allow_gaps, refuse=options.refuse)
    if options.json:
        print(json.dumps(summary(run), indent=1))
    elif run.errors:
        print("\n".join(run.errors))
    else:
        steps = {seen["step"] for seen in run.index_files}
        print(f"ok: {len(steps)} steps, {len(seen_tensors(run))} tensors, {len(run.notes)} notes")
    return 1 if run.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
