#!/usr/bin/env python3
"""strict_reader.py accepts what smdebug wrote, and refuses each kind of damage.

usage: strict_reader_test.py

TENSORTAP_WRITTEN_RUNS, if set, names a folder; every run below it must be accepted too.
"""
import contextlib
import hashlib
import io
import json
import os
import shutil
import struct
import tempfile
import unittest
from pathlib import Path

import strict_reader

GOLDEN = Path(__file__).resolve().parent / "data" / "golden"
UNREADABLE = {"true_checksum": "footer is not the constant", "missing_event_file": "cannot be read"}
# A writer for smdebug has no excuse for these.
NEVER_WRITTEN = ("raw-and-shape", "mode")


def is_run(folder):
    return folder.parent.name != "superseded" and ((folder / "collections").is_dir() or (folder / "index").is_dir())


def runs_below(folder):
    """The runs in a folder; it may be a run itself."""
    folders = [Path(folder)] + sorted(p for p in Path(folder).rglob("*") if p.is_dir())
    return [p for p in folders if is_run(p)]


def written_runs():
    """The runs that our hook wrote; a folder without any is a mistake."""
    folder = os.environ.get("TENSORTAP_WRITTEN_RUNS")
    runs = runs_below(folder) if folder else []
    if folder and not runs:
        raise AssertionError(f"no runs below {folder}, named by TENSORTAP_WRITTEN_RUNS")
    return runs


# ---- making records ----

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number_field(number, value):
    return varint(number << 3) + varint(value)


def bytes_field(number, *parts):
    content = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(number << 3 | 2) + varint(len(content)) + content


def double_field(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def plugin_data(mode_step, mode):
    return bytes_field(9, bytes_field(1, bytes_field(1, "mode_step"), bytes_field(2, mode_step)),
                       bytes_field(1, bytes_field(1, "mode"), bytes_field(2, mode)))


def dim(size, name):
    return bytes_field(2, number_field(1, size), bytes_field(2, name))


SHAPE = bytes_field(2, dim(2, "a/b_2"))
CONTENT = bytes_field(4, struct.pack("<2f", 1, 2))
TENSOR = bytes_field(8, number_field(1, 1), SHAPE, CONTENT)
METADATA = plugin_data("1", "1")


def value(tag="a/b", tensor=TENSOR, metadata=METADATA):
    return bytes_field(1, bytes_field(1, tag), tensor, metadata)


def tensor(*fields):
    return value(tensor=bytes_field(8, *fields))


def event(*values, step=3, wall_time=double_field(1, 1.5)):
    return wall_time + number_field(2, step) + bytes_field(5, *(values or (value(),)))


def record(payload, footer=strict_reader.FOOTER):
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", strict_reader.masked_crc(length)) + payload + footer


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


# ---- making runs ----

INDEX = "index/000000000/000000000003_worker_0.json"
EVENTS = "events/000000000003/000000000003_worker_0.tfevents"
COLLECTIONS = "collections/000000000/worker_0_collections.json"


def collection(**changes):
    steps = {"save_interval": 1, "save_steps": [], "start_step": 0, "end_step": None}
    return {"name": "all", "include_regex": [".*"], "tensor_names": ["a/b"],
            "reduction_config": {"save_raw_tensor": True, "reductions": "min,l1_norm,abs_max,abs_l2_norm", "save_shape": False},
            "save_config": {"TRAIN": steps, "EVAL": None}, "save_histogram": True, **changes}


def collections(num_workers=1, **changes):
    return {"collections": {"all": collection(**changes)}, "_meta": {"num_workers": num_workers}}


def index(length, **meta):
    return {"meta": {"mode": "TRAIN", "mode_step": 1, "event_file_name": EVENTS, **meta},
            "tensor_payload": [{"tensorname": "a/b", "start_idx": 0, "length": length}], "shape_payload": []}


def without(fields, name):
    return {k: v for k, v in fields.items() if k != name}


class RunTest(unittest.TestCase):
    """A sound run of one step, whose files the tests damage one at a time."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.put(COLLECTIONS, collections())
        self.put("training_job_end.ts", b"")
        self.put_record(record(event()))

    def put(self, path, content):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            content = json.dumps(content)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def put_record(self, data):
        """An event file of this record, and an index that fits it."""
        self.put(EVENTS, data)
        self.put(INDEX, index(len(data)))

    def put_event(self, *values, **fields):
        self.put_record(record(event(*values, **fields)))

    def entry(self, **changes):
        """Changes the one tensor that the index lists."""
        whole = json.loads((self.root / INDEX).read_text())
        whole["tensor_payload"][0].update(changes)
        self.put(INDEX, whole)

    def read(self, **options):
        return strict_reader.read_run(self.root, **options)

    def accepted(self, **options):
        run = self.read(**options)
        self.assertEqual(run.errors, [])
        return run

    def refused(self, cause, path=None, **options):
        errors = self.read(**options).errors
        self.assertTrue(errors, "nothing was refused")
        self.assertEqual(len(errors), 1, errors)
        self.assertRegex(errors[0], "^" + (path or ".*") + ": .*" + cause)

    def noted(self, kind, count=1):
        notes = self.accepted().notes
        self.assertEqual([strict_reader.NOTE_KINDS[kind] in note for note in notes], [True] * count, notes)
        self.assertTrue(self.read(refuse=[kind]).errors, "the note cannot be refused")


class SoundRun(RunTest):
    def test_accepted(self):
        run = self.accepted(canonical=True)
        self.assertEqual((run.notes, run.ended, run.num_workers), ([], True, 1))

    def test_unfinished(self):
        (self.root / "training_job_end.ts").unlink()
        self.assertFalse(self.accepted().ended)

    def test_what_is_seen(self):
        content = hashlib.sha256(struct.pack("<2f", 1, 2)).hexdigest()
        seen = strict_reader.summary(self.accepted())
        self.assertEqual(seen["steps"], {"3": ["TRAIN", 1]})
        self.assertEqual(seen["tensors"], {"a/b": {"3": {"worker_0": {"dtype": "float32", "shape": [2], "sha256": content}}}})

    def test_missing_run(self):
        shutil.rmtree(self.root)
        self.refused("no such directory")
        self.root.mkdir()

    def test_end_marker_and_claim_may_say_something(self):
        self.put("training_job_end.ts", "x")
        self.put("claim.smd", "x")
        self.assertEqual(strict_reader.read_run(self.root).errors, [])

    def test_checksum_of_rfc_3720(self):
        crc = 0xE3069283
        self.assertEqual(strict_reader.masked_crc(b"123456789"), ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def test_footer(self):
        self.assertEqual(strict_reader.FOOTER.hex().upper(), "B3C02D06")


class Names(RunTest):
    def move(self, old, new):
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def test_index_with_another_ending(self):
        self.move(INDEX, INDEX.replace(".json", ".csv"))
        self.refused("not the name of a step's file", "index/.*csv")

    def test_index_as_events(self):
        self.move(INDEX, INDEX.replace(".json", ".tfevents"))
        self.refused("wrong ending")

    def test_index_without_worker(self):
        self.move(INDEX, INDEX.replace("_worker_0", ""))
        self.refused("not the name of a step's file")

    def test_index_of_negative_step(self):
        self.move(INDEX, INDEX.replace("000000000003_", "-00000000001_"))
        self.refused("not the name of a step's file")

    def test_index_padded_otherwise(self):
        self.move(INDEX, INDEX.replace("000000000003_", "00000000003_"))
        self.refused("not padded to 12 digits")

    def test_index_in_another_thousand(self):
        self.move(INDEX, INDEX.replace("index/000000000/", "index/000000001/"))
        self.refused("in the wrong folder")

    def test_index_folder_padded_otherwise(self):
        self.move(INDEX, INDEX.replace("index/000000000/", "index/0/"))
        self.refused("in the wrong folder")

    def test_stray_event_file_in_wrong_folder(self):
        self.put("events/000000000004/000000000003_worker_0.tfevents", b"")
        self.refused("in the wrong folder")

    def test_temporary_files_are_invisible(self):
        self.put(INDEX + ".tmp", "{")
        self.noted("temporary")

    def test_event_file_without_index(self):
        self.put("events/000000000004/000000000004_worker_0.tfevents", b"")
        self.noted("unindexed")

    def test_mode_step_twice(self):
        self.put(INDEX.replace("3_", "4_"), {"meta": {"mode": "TRAIN", "mode_step": 1}, "shape_payload": []})
        self.noted("mode-step")

    def test_index_of_another_worker(self):
        self.put(INDEX.replace("worker_0", "worker_1"), {"meta": {"mode": "TRAIN", "mode_step": 1}, "shape_payload": []})
        self.refused("worker has no collections file")


class Index(RunTest):
    def change(self, **changes):
        whole = json.loads((self.root / INDEX).read_text())
        self.put(INDEX, {**whole, **changes})

    def meta(self, **changes):
        self.put(INDEX, index((self.root / EVENTS).stat().st_size, **changes))

    def drop_meta(self, name):
        whole = index((self.root / EVENTS).stat().st_size)
        self.put(INDEX, {**whole, "meta": without(whole["meta"], name)})

    def refuse_index(self, cause, **options):
        """The index is refused; its event file may be too, if reading came that far."""
        errors = self.read(**options).errors
        self.assertEqual(len([e for e in errors if cause in e and e.startswith(INDEX)]), 1, errors)

    def test_empty(self):
        self.put(INDEX, b"")
        self.refuse_index("empty file")

    def test_broken(self):
        self.put(INDEX, '{"meta": {')
        self.refuse_index("JSON: ")

    def test_two_objects(self):
        text = (self.root / INDEX).read_text()
        self.put(INDEX, text + text)
        self.refuse_index("JSON: Extra data")

    def test_not_an_object(self):
        self.put(INDEX, "[]")
        self.refuse_index("not an object")

    def test_not_utf8(self):
        self.put(INDEX, b'{"meta": "\xff"}')
        self.refuse_index("not UTF-8")

    def test_key_twice(self):
        self.put(INDEX, '{"meta": {}, "meta": {}}')
        self.refuse_index("given twice")

    def test_not_a_number(self):
        self.put(INDEX, '{"meta": NaN}')
        self.refuse_index("not a number")

    def test_unknown_key(self):
        self.change(more=1)
        self.refuse_index("unknown key")

    def test_without_meta(self):
        self.put(INDEX, {"tensor_payload": []})
        self.refuse_index("meta is missing or empty")

    def test_empty_meta(self):
        self.put(INDEX, {"meta": {}, "tensor_payload": []})
        self.refuse_index("meta is missing or empty")

    def test_without_arrays(self):
        self.put(INDEX, {"meta": {"mode": "TRAIN", "mode_step": 1}})
        self.refuse_index("neither tensor_payload nor shape_payload")

    def test_one_array_is_enough(self):
        self.put(INDEX, without(index((self.root / EVENTS).stat().st_size), "shape_payload"))
        self.accepted()

    def test_without_mode(self):
        self.drop_meta("mode")
        self.refuse_index("meta has no mode")

    def test_without_mode_step(self):
        self.drop_meta("mode_step")
        self.refuse_index("meta has no mode_step")

    def test_without_event_file_name(self):
        self.drop_meta("event_file_name")
        self.refuse_index("meta has no event_file_name")

    def test_unknown_mode(self):
        self.meta(mode="train")
        self.refuse_index("unknown mode")

    def test_negative_mode_step(self):
        self.meta(mode_step=-1)
        self.refuse_index("negative mode step")

    def test_mode_step_as_text(self):
        self.meta(mode_step="1")
        self.refuse_index("mode_step is of the wrong kind")

    def test_mode_step_as_bool(self):
        self.meta(mode_step=True)
        self.refuse_index("mode_step is of the wrong kind")

    def test_absolute_event_file_name(self):
        self.meta(event_file_name="/" + EVENTS)
        self.refuse_index("names another event file")

    def test_event_file_of_another_step(self):
        self.meta(event_file_name=EVENTS.replace("3", "4"))
        self.refuse_index("names another event file")

    def test_tensor_without_name(self):
        whole = index(1)
        self.put(INDEX, {**whole, "tensor_payload": [without(whole["tensor_payload"][0], "tensorname")]})
        self.refuse_index("tensor_payload[0] has no tensorname")

    def test_tensor_without_start(self):
        whole = index(1)
        self.put(INDEX, {**whole, "tensor_payload": [without(whole["tensor_payload"][0], "start_idx")]})
        self.refuse_index("tensor_payload[0] has no start_idx")

    def test_tensor_without_length(self):
        whole = index(1)
        self.put(INDEX, {**whole, "tensor_payload": [without(whole["tensor_payload"][0], "length")]})
        self.refuse_index("tensor_payload[0] has no length")

    def test_tensor_with_more(self):
        self.entry(more=1)
        self.refuse_index("unknown key")

    def test_keys_of_ours_are_ignored_but_not_python_s(self):
        self.entry(crc32c=1)
        self.accepted()
        self.refuse_index("not the text that Python would write", canonical=True)

    def test_negative_start(self):
        self.entry(start_idx=-1)
        self.refuse_index("start_idx is of the wrong kind")

    def test_start_as_float(self):
        self.entry(start_idx=0.0)
        self.refuse_index("start_idx is of the wrong kind")

    def test_tensors_as_object(self):
        self.change(tensor_payload={"a": 1})
        self.refuse_index("tensor_payload is not an array")

    def test_shape_as_text(self):
        self.change(shape_payload=["s"])
        self.refuse_index("shape_payload[0] is not an object")

    def test_shape_without_original_name(self):
        self.change(shape_payload=[{"tensorname": "s", "shape": [2]}])
        self.refuse_index("has no originalname")

    def test_shape_with_negative_extent(self):
        self.change(shape_payload=[{"tensorname": "s", "originalname": "s", "shape": [-2]}])
        self.refuse_index("shape is of the wrong kind")

    def test_shape_alone(self):
        shapes = [{"tensorname": "s", "originalname": "s", "shape": [2]}]
        (self.root / EVENTS).unlink()
        self.put(INDEX, {"meta": {"mode": "TRAIN", "mode_step": 1}, "tensor_payload": [], "shape_payload": shapes})
        self.assertEqual(strict_reader.seen_tensors(self.accepted(canonical=True)), {"s": {"3": {"worker_0": {"shape": [2]}}}})

    def test_shape_and_value(self):
        self.change(shape_payload=[{"tensorname": "a/b", "originalname": "a/b", "shape": [2]}])
        self.noted("raw-and-shape")

    def test_tensor_twice(self):
        data = record(event())
        entry = {"tensorname": "a/b", "length": len(data)}
        self.put(EVENTS, data + data)
        self.change(tensor_payload=[{**entry, "start_idx": 0}, {**entry, "start_idx": len(data)}])
        self.noted("repeated")

    def test_canonical_separators(self):
        self.put(INDEX, (self.root / INDEX).read_text().replace(": ", ":"))
        self.accepted()
        self.refuse_index("not the text that Python would write", canonical=True)

    def test_canonical_order(self):
        whole = json.loads((self.root / INDEX).read_text())
        self.put(INDEX, dict(reversed(whole.items())))
        self.accepted()
        self.refuse_index("not the text that Python would write", canonical=True)

    def test_canonical_last_line_end(self):
        self.put(INDEX, (self.root / INDEX).read_text() + "\n")
        self.accepted()
        self.refuse_index("not the text that Python would write", canonical=True)


class Records(RunTest):
    def test_missing_event_file(self):
        (self.root / EVENTS).unlink()
        self.refused("cannot be read", EVENTS)

    def test_start_beyond_end(self):
        self.entry(start_idx=10 ** 6)
        self.refused("begins beyond the end", EVENTS, allow_gaps=True)

    def test_cut_off(self):
        data = record(event())
        self.put_record(data)
        self.put(EVENTS, data[:-1])
        self.refused("ends beyond the end", EVENTS, allow_gaps=True)

    def test_length_checksum(self):
        self.put_record(flipped(record(event()), 8))
        self.refused("wrong checksum of the record's length", EVENTS)

    def test_length(self):
        self.put_record(flipped(record(event()), 0))
        self.refused("wrong checksum of the record's length", EVENTS)

    def test_length_in_index(self):
        self.entry(length=17)
        self.refused("another length than the index says", EVENTS, allow_gaps=True)

    def test_footer(self):
        self.put_record(flipped(record(event()), -1 + len(record(event()))))
        self.refused("footer is not the constant", EVENTS)

    def test_true_checksum_as_footer(self):
        payload = event()
        self.put_record(record(payload, struct.pack("<I", strict_reader.masked_crc(payload))))
        self.refused("footer is not the constant", EVENTS)

    def test_gap_before(self):
        data = record(event())
        self.put_record(data)
        self.put(EVENTS, data + data)
        self.entry(start_idx=len(data))
        self.refused("bytes that the index does not list", EVENTS)
        self.accepted(allow_gaps=True)

    def test_gap_after(self):
        data = record(event())
        self.put_record(data)
        self.put(EVENTS, data + b"\0")
        self.refused("bytes that the index does not list", EVENTS)
        self.accepted(allow_gaps=True)

    def test_steps_that_share_a_file(self):
        first, second = record(event()), record(event(step=4))
        self.put_record(first)
        self.put(EVENTS, first + second)
        self.accepted()  # the index of step 4 is yet to come
        self.put(EVENTS, first + second[:-1])
        self.refused("bytes that the index does not list", EVENTS)
        self.put(EVENTS, second + first)
        self.entry(start_idx=len(second))
        self.refused("bytes that the index does not list", EVENTS)

    def test_overlap(self):
        whole = index(len(record(event())))
        whole["tensor_payload"] *= 2
        self.put(INDEX, whole)
        self.refused("records overlap", EVENTS)


class Events(RunTest):
    def refuse_event(self, cause, *values, **fields):
        self.put_event(*values, **fields)
        self.refused(cause, EVENTS)

    def test_step(self):
        self.refuse_event("record of another step", step=4)

    def test_wall_time(self):
        self.refuse_event("wall time is not a number", wall_time=double_field(1, float("nan")))

    def test_tag(self):
        self.refuse_event("tag is not the name in the index", value(tag="a/c"))

    def test_no_summary(self):
        self.put_record(record(number_field(2, 3)))
        self.refused("without a summary", EVENTS)

    def test_two_values(self):
        self.refuse_event("not exactly one value", value(), value())

    def test_no_tensor(self):
        self.refuse_event("without a tensor", value(tensor=b""))

    def test_simple_value(self):
        self.refuse_event("without a tensor", value(tensor=varint(2 << 3 | 5) + struct.pack("<f", 1)))

    def test_no_plugin_data(self):
        self.refuse_event("plugin data are not mode_step and mode", value(metadata=b""))

    def test_order_of_plugin_data(self):
        swapped = bytes_field(9, bytes_field(1, bytes_field(1, "mode"), bytes_field(2, "1")),
                              bytes_field(1, bytes_field(1, "mode_step"), bytes_field(2, "1")))
        self.refuse_event("plugin data are not mode_step and mode", value(metadata=swapped))

    def test_mode_by_name(self):
        self.refuse_event("unknown mode", value(metadata=plugin_data("1", "TRAIN")))

    def test_mode_step(self):
        self.refuse_event("mode_step is not a number", value(metadata=plugin_data("1.0", "1")))

    def test_first_record_of_another_mode(self):
        self.refuse_event("first record has not the mode", value(metadata=plugin_data("1", "2")))

    def test_later_record_of_another_mode(self):
        first, second = record(event()), record(event(value(tag="c", metadata=plugin_data("-1", "2"))))
        whole = index(len(first))
        whole["tensor_payload"].append({"tensorname": "c", "start_idx": len(first), "length": len(second)})
        self.put(EVENTS, first + second)
        self.put(INDEX, whole)
        self.noted("mode")


class Tensors(RunTest):
    FLOAT = number_field(1, 1)

    def refuse_tensor(self, cause, *fields, **options):
        self.put_event(tensor(*fields))
        self.refused(cause, EVENTS, **options)

    def test_no_shape(self):
        self.refuse_tensor("without a shape", self.FLOAT, CONTENT)

    def test_no_axes(self):
        self.put_event(tensor(self.FLOAT, bytes_field(2), bytes_field(4, b"1234")))
        self.assertEqual(self.accepted(canonical=True).index_files[0]["records"][0]["shape"], [])

    def test_unknown_rank(self):
        self.refuse_tensor("unknown rank", self.FLOAT, bytes_field(2, number_field(3, 1)), CONTENT)

    def test_negative_extent(self):
        self.refuse_tensor("negative extent", self.FLOAT, bytes_field(2, dim(-2, "x")), CONTENT)

    def test_unknown_dtype(self):
        self.refuse_tensor("unknown dtype", number_field(1, 99), SHAPE, CONTENT)

    def test_string_dtype(self):
        self.refuse_tensor("unknown dtype", number_field(1, 7), SHAPE, CONTENT)

    def test_content_too_short(self):
        self.refuse_tensor("content does not fit the shape", self.FLOAT, SHAPE, bytes_field(4, b"1234567"))

    def test_content_too_long(self):
        self.refuse_tensor("content does not fit the shape", self.FLOAT, SHAPE, bytes_field(4, b"123456789"))

    def test_content_of_another_dtype(self):
        self.refuse_tensor("content does not fit the shape", number_field(1, 2), SHAPE, CONTENT)

    def test_values_beside_content(self):
        self.refuse_tensor("never writes this field", self.FLOAT, SHAPE, CONTENT, bytes_field(5, struct.pack("<f", 1)))

    def test_strings_beside_dtype(self):
        self.refuse_tensor("string_val beside a dtype", self.FLOAT, SHAPE, CONTENT, bytes_field(8, "x"))

    def test_strings(self):
        self.put_event(tensor(SHAPE, bytes_field(8, "x"), bytes_field(8, "ü")))
        self.assertEqual(self.accepted(canonical=True).index_files[0]["records"][0]["list"], ["x", "ü"])

    def test_number_of_strings(self):
        self.refuse_tensor("number of strings", SHAPE, bytes_field(8, "x"))

    def test_strings_with_content(self):
        self.refuse_tensor("content without a dtype", SHAPE, CONTENT)

    def test_strings_not_utf8(self):
        self.refuse_tensor("string_val: not UTF-8", SHAPE, bytes_field(8, b"\xff"), bytes_field(8, "x"))

    def test_dtypes_that_smdebug_cannot_read(self):
        for number in (5, 6, 8, 14, 17, 22, 23):
            with self.subTest(dtype=strict_reader.DTYPES[number][0]):
                content = bytes_field(4, bytes(2 * strict_reader.DTYPES[number][1]))
                self.put_event(tensor(number_field(1, number), SHAPE, content))
                self.noted("dtype")

    def test_empty(self):
        self.put_event(tensor(self.FLOAT, bytes_field(2, bytes_field(2, bytes_field(2, "a/b_0")))))
        self.noted("empty")

    def test_canonical_name_of_dimension(self):
        self.put_event(tensor(self.FLOAT, bytes_field(2, dim(2, "x")), CONTENT))
        self.accepted()
        self.refused("dimension has another name", EVENTS, canonical=True)


class Protobuf(unittest.TestCase):
    def refused(self, cause, data, message="Event", **options):
        with self.assertRaisesRegex(strict_reader.Bad, cause):
            strict_reader.decode(data, message, **options)

    def refused_if_canonical(self, cause, data, message="Event"):
        strict_reader.decode(data, message)
        self.refused(cause, data, message, canonical=True)

    def test_unknown_field(self):
        self.refused("unknown field", number_field(12, 1))

    def test_unknown_inner_field(self):
        self.refused("unknown field of Value", bytes_field(5, bytes_field(1, bytes_field(10, "x"))))

    def test_field_number_0(self):
        self.refused("unknown field", b"\x00\x01")

    def test_wire_type(self):
        self.refused("wire type of Event.step", bytes_field(2, "x"))

    def test_group(self):
        self.refused("wire type", varint(5 << 3 | 3))

    def test_twice(self):
        self.refused("Event.step is given twice", number_field(2, 1) * 2)

    def test_two_of_a_oneof(self):
        self.refused("Event has file_version and", bytes_field(5) + bytes_field(3, "x"))

    def test_cut_off_varint(self):
        self.refused("cut off within a varint", b"\x10\x80")

    def test_cut_off_double(self):
        self.refused("beyond its message", b"\x09\x00")

    def test_cut_off_bytes(self):
        self.refused("beyond its message", b"\x22\x05abc")

    def test_long_varint(self):
        self.refused("longer than ten bytes", b"\x10" + b"\x80" * 10 + b"\x01")

    def test_large_varint(self):
        self.refused("beyond 64 bits", b"\x10" + b"\xff" * 9 + b"\x02")

    def test_negative(self):
        self.assertEqual(strict_reader.decode(number_field(2, -5), "Event"), {"step": -5})

    def test_large_enum(self):
        self.refused("beyond 32 bits", number_field(1, 1 << 40), "TensorProto")

    def test_bool(self):
        self.refused("neither 0 nor 1", number_field(3, 2), "TensorShapeProto")

    def test_text(self):
        self.refused("tag: not UTF-8", bytes_field(1, b"\xff"), "Value")

    def test_packed(self):
        self.assertEqual(strict_reader.decode(bytes_field(7, b"\x01\x02"), "TensorProto"), {"int_val": [1, 2]})

    def test_unpacked(self):
        self.refused("wire type of TensorProto.int_val", number_field(7, 1), "TensorProto")

    def test_packed_twice(self):
        self.refused("int_val is given twice", bytes_field(7, b"\x01") * 2, "TensorProto")

    def test_packed_cut_off(self):
        self.refused("beyond its message", bytes_field(6, b"\0" * 9), "TensorProto")

    def test_canonical_order(self):
        self.refused_if_canonical("comes after a later field", number_field(2, 1) + double_field(1, 1))

    def test_canonical_default(self):
        self.refused_if_canonical("though it is the default", number_field(2, 0))

    def test_canonical_minus_zero(self):
        strict_reader.decode(double_field(1, -0.0), "Event", canonical=True)

    def test_canonical_varint(self):
        self.refused_if_canonical("varint longer than needed", b"\x10\x81\x00")


class Collections(RunTest):
    def refuse_collections(self, cause, content):
        self.put(COLLECTIONS, content)
        errors = [e for e in self.read().errors if e.startswith(COLLECTIONS)]
        self.assertEqual(len(errors), 1, errors)
        self.assertRegex(errors[0], cause)

    def refuse_collection(self, cause, **changes):
        self.refuse_collections(cause, collections(**changes))

    def test_none(self):
        (self.root / COLLECTIONS).unlink()
        self.assertIn("collections: no collections file", self.read().errors[0])

    def test_misnamed_file(self):
        self.put("collections/000000001/worker_0_collections.json", collections())
        self.refused("not the name of a collections file")

    def test_empty_file(self):
        self.refuse_collections("empty file", b"")

    def test_other_top_level_key(self):
        self.refuse_collections("file has an unknown key", {**collections(), "more": 1})

    def test_without_collections(self):
        self.refuse_collections("file has no collections", without(collections(), "collections"))

    def test_without_meta(self):
        self.refuse_collections("file has no _meta", without(collections(), "_meta"))

    def test_without_num_workers(self):
        self.refuse_collections("_meta has no num_workers", {**collections(), "_meta": {}})

    def test_no_workers(self):
        self.refuse_collections("num_workers is of the wrong kind", collections(num_workers=0))

    def test_not_a_number(self):
        self.refuse_collections("not a number", json.dumps(collections(num_workers=float("nan"))))

    def test_other_name(self):
        self.refuse_collection("calls itself otherwise", name="al")

    def test_missing_fields(self):
        for name in collection():
            with self.subTest(field=name):
                whole = collections()
                whole["collections"]["all"] = without(collection(), name)
                self.refuse_collections(f"has no {name}", whole)

    def test_fields_of_another_kind(self):
        for name in collection():
            with self.subTest(field=name):
                self.refuse_collection(f"{name} is of the wrong kind", **{name: 1})

    def test_unknown_field(self):
        self.refuse_collection("unknown key", more=1)

    def test_null_configs(self):
        self.put(COLLECTIONS, collections(reduction_config=None, save_config=None))
        self.accepted()

    def test_unsorted_names(self):
        self.refuse_collection("not sorted", tensor_names=["b", "a"])

    def test_repeated_names(self):
        self.refuse_collection("not unique", tensor_names=["a", "a"])

    def test_broken_pattern(self):
        self.refuse_collection("not a regular expression", include_regex=["("])

    def test_reductions(self):
        for names in ("median", "l1", "min, max", "min,", "norm", "abs_abs_min", "l3_norm"):
            with self.subTest(reductions=names):
                config = {"save_raw_tensor": False, "reductions": names, "save_shape": False}
                self.refuse_collection("unknown reduction", reduction_config=config)

    def test_repeated_reduction(self):
        config = {"save_raw_tensor": False, "reductions": "min,min", "save_shape": False}
        self.refuse_collection("reduction is given twice", reduction_config=config)

    def test_no_reductions(self):
        config = {"save_raw_tensor": True, "reductions": "", "save_shape": False}
        self.put(COLLECTIONS, collections(reduction_config=config))
        self.accepted()

    def test_reduction_config_without_field(self):
        for name in ("save_raw_tensor", "reductions", "save_shape"):
            with self.subTest(field=name):
                config = without({"save_raw_tensor": True, "reductions": "", "save_shape": False}, name)
                self.refuse_collection(f"reduction_config has no {name}", reduction_config=config)

    def test_flag_as_text(self):
        config = {"save_raw_tensor": "true", "reductions": "", "save_shape": False}
        self.refuse_collection("save_raw_tensor is of the wrong kind", reduction_config=config)

    def test_unknown_mode(self):
        self.refuse_collection("unknown mode", save_config={"train": None})

    def test_save_clauses(self):
        steps = {"save_interval": 1, "save_steps": [], "start_step": 0, "end_step": None}
        self.put(COLLECTIONS, collections(save_clauses={"TRAIN": [steps, {**steps, "end_step": 5}]}))
        self.accepted()
        self.refuse_collection("fewer than two", save_clauses={"TRAIN": [steps]})
        self.refuse_collection("has no end_step", save_clauses={"TRAIN": [steps, without(steps, "end_step")]})
        self.refuse_collection("unknown mode", save_clauses={"train": [steps, steps]})

    def test_save_config(self):
        steps = {"save_interval": 1, "save_steps": [], "start_step": 0, "end_step": None}
        for name, wrong in (("save_interval", 0), ("save_steps", [1.5]), ("start_step", None), ("end_step", "")):
            with self.subTest(field=name):
                self.refuse_collection(f"{name} is of the wrong kind", save_config={"TRAIN": {**steps, name: wrong}})
                self.refuse_collection(f"has no {name}", save_config={"TRAIN": without(steps, name)})

    def test_missing_worker(self):
        self.put(COLLECTIONS, collections(num_workers=2))
        self.refused("not as many files as workers", "collections")

    def test_additional_worker(self):
        self.put(COLLECTIONS.replace("worker_0", "worker_1"), collections())
        self.refused("not as many files as workers", "collections")

    def test_workers_disagree_about_their_number(self):
        self.put(COLLECTIONS.replace("worker_0", "worker_1"), collections(num_workers=2))
        self.refused("files disagree about num_workers", "collections")

    def test_workers_disagree(self):
        self.put(COLLECTIONS, collections(num_workers=2))
        self.put(COLLECTIONS.replace("worker_0", "worker_1"), collections(num_workers=2, include_regex=[]))
        self.noted("collections")


class TensorBoard(RunTest):
    FILE = "tensorboard/TRAIN/000000000003_1_host.tfevents"
    SIMPLE = varint(2 << 3 | 5) + struct.pack("<f", 1)

    def put_summary(self, tag="a", content=SIMPLE, path=FILE):
        payload = number_field(2, 3) + bytes_field(5, bytes_field(1, bytes_field(1, tag), content))
        self.put(path, record(payload, struct.pack("<I", strict_reader.masked_crc(payload))))

    def histogram(self, limits, counts, total):
        packed = [b"".join(struct.pack("<d", v) for v in values) for values in (limits, counts)]
        self.put_summary(content=bytes_field(5, double_field(3, total), bytes_field(6, packed[0]), bytes_field(7, packed[1])))

    def test_scalar(self):
        self.put_summary()
        self.accepted(canonical=True)

    def test_constant_footer(self):
        self.put(self.FILE, record(event()))
        self.refused("wrong checksum of the payload", self.FILE)

    def test_length_checksum(self):
        self.put_summary()
        self.put(self.FILE, flipped((self.root / self.FILE).read_bytes(), 8))
        self.refused("wrong checksum of the record's length", self.FILE)

    def test_cut_off(self):
        self.put(self.FILE, b"123")
        self.refused("cut off within a record", self.FILE)

    def test_cut_off_payload(self):
        self.put_summary()
        self.put(self.FILE, (self.root / self.FILE).read_bytes()[:-1])
        self.refused("ends beyond the end", self.FILE)

    def test_name(self):
        self.put_summary(path="tensorboard/train/000000000003_1_host.tfevents")
        self.refused("not the name of a TensorBoard file")

    def test_tag(self):
        self.put_summary(tag="a b")
        self.refused("tag that TensorBoard would not take", self.FILE)

    def test_tag_with_leading_slash(self):
        self.put_summary(tag="/a")
        self.refused("tag that TensorBoard would not take", self.FILE)

    def test_tensor(self):
        self.put_summary(content=TENSOR)
        self.refused("neither a number nor a histogram", self.FILE)

    def test_histogram(self):
        self.histogram([1, 2], [3, 4], 7)
        self.accepted()

    def test_buckets(self):
        self.histogram([1, 2], [3], 3)
        self.refused("buckets do not fit", self.FILE)

    def test_limits(self):
        self.histogram([2, 1], [3, 4], 7)
        self.refused("limits do not rise", self.FILE)

    def test_number(self):
        self.histogram([1, 2], [3, 4], 8)
        self.refused("do not add up", self.FILE)


class CommandLine(RunTest):
    def run_main(self, *arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = strict_reader.main([str(self.root), *arguments])
        return code, out.getvalue()

    def test_sound(self):
        self.assertEqual(self.run_main(), (0, "ok: 1 steps, 1 tensors, 0 notes\n"))

    def test_damaged(self):
        (self.root / EVENTS).unlink()
        self.assertEqual(self.run_main(), (1, f"{EVENTS}: cannot be read (No such file or directory)\n"))

    def test_json(self):
        code, text = self.run_main("--json")
        self.assertEqual((code, json.loads(text)["tensors"]["a/b"]["3"]["worker_0"]["shape"]), (0, [2]))

    def test_refuse(self):
        self.put(INDEX + ".tmp", "")
        self.assertEqual((self.run_main()[0], self.run_main("--refuse", "temporary")[0]), (0, 1))

    def test_canonical(self):
        self.put(INDEX, (self.root / INDEX).read_text() + " ")
        self.assertEqual((self.run_main()[0], self.run_main("--canonical")[0]), (0, 1))

    def test_allow_gaps(self):
        self.put(EVENTS, (self.root / EVENTS).read_bytes() + b"\0")
        self.assertEqual((self.run_main()[0], self.run_main("--allow-gaps")[0]), (1, 0))


def expectation(run):
    """What a run's expected.json says of its values, if it has one."""
    path = GOLDEN / (".".join(run.relative_to(GOLDEN).parts) + ".expected.json")
    return json.loads(path.read_text()) if path.exists() else None


class GoldenRuns(unittest.TestCase):
    def test_accepted(self):
        runs = [run for run in runs_below(GOLDEN) if run.name not in UNREADABLE]
        self.assertEqual(len(runs), 22)
        for run in runs:
            with self.subTest(run=run.name):
                self.assertEqual(strict_reader.read_run(run, canonical=True).errors, [])

    def test_refused(self):
        for name, cause in UNREADABLE.items():
            with self.subTest(run=name):
                errors = strict_reader.read_run(GOLDEN / name).errors
                self.assertTrue(errors)
                self.assertTrue(all(cause in error for error in errors), errors)

    def test_values(self):
        compared = 0
        for run in runs_below(GOLDEN):
            if run.name != "true_checksum":  # none of its records is read
                with self.subTest(run=run.name):
                    compared += self.compare(strict_reader.summary(strict_reader.read_run(run)), expectation(run))
        self.assertGreater(compared, 400)

    def compare(self, seen, expected):
        """How many values of the run are as expected."""
        self.assertEqual(seen["ended"], expected["ended"])
        self.assertEqual(seen["num_workers"], expected["num_workers"])
        places = [(name, step, worker, values) for name, steps in expected["tensors"].items()
                  for step, workers in steps.items() for worker, values in workers.items()]
        for name, step, worker, values in places:
            self.compare_value(seen, name, step, name_in_files(worker), values)
        return len(places)

    def compare_value(self, seen, name, step, worker, values):
        step = last_of_its_mode_step(seen["steps"], step)
        if "dtype" in values:
            found = seen["tensors"][name][step][worker]
            for field in {"dtype", "shape", "sha256", "list"} & values.keys():
                self.assertEqual(found[field], values[field], name)
        for reduction in values.get("reductions", {}):
            record = f"smdebug/reductions/{reduction}/{name}"
            self.assertTrue([n for n in seen["tensors"] if n.endswith(record) and step in seen["tensors"][n]], record)


def name_in_files(worker):
    """Devices have their slashes and colons only inside smdebug."""
    return worker.replace("/", "_").replace(":", "-") if worker.startswith("/") else worker


def last_of_its_mode_step(steps, step):
    """Of global steps with one mode and mode step smdebug gives the last one's values."""
    return max((s for s in steps if steps[s] == steps[step]), key=int)


class WrittenRuns(unittest.TestCase):
    def test_accepted(self):
        runs = written_runs()
        if not runs:
            self.skipTest("TENSORTAP_WRITTEN_RUNS is not set")
        for run in runs:
            with self.subTest(run=str(run)):
                # A run whose writer was killed may hold files that no reader opens: temporary files, events without an index.
                refuse = () if "killed" in run.parts else NEVER_WRITTEN
                self.assertEqual(strict_reader.read_run(run, refuse=refuse).errors, [])


if __name__ == "__main__":
    unittest.main()
