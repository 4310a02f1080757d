"""Reads numbers of a run, with the parts of strict_reader.py; only the tensors that are asked for."""
import array
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import strict_reader  # noqa: E402

TYPES = {"float32": "f", "float64": "d", "int64": "q", "int32": "i"}


def records(run, wanted):
    """Yields (mode, mode step, global step, name, shape, values) of each record for whose name `wanted` is true."""
    reader = strict_reader.Run(str(run))
    files = {}
    for path in reader.lasting_files_below("index"):
        step, _ = strict_reader.step_and_worker(path)
        index = strict_reader.parse_json(reader.read(path))
        meta = index["meta"]
        for entry in index.get("tensor_payload", []):
            name = entry["tensorname"]
            if not wanted(name):
                continue
            file = meta["event_file_name"]
            if file not in files:
                files = {file: reader.read(file)}  # the steps of a file follow each other
            payload = strict_reader.payload_at(files[file], entry["start_idx"], entry["length"])
            event = strict_reader.decode(payload, "Event")
            tensor = strict_reader.read_tensor(reader, file, name, event["summary"]["value"][0]["tensor"])
            if tensor["dtype"] in TYPES:
                values = array.array(TYPES[tensor["dtype"]], tensor["content"])
                yield meta["mode"], meta["mode_step"], step, name, tensor["shape"], values


def mean(values):
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
