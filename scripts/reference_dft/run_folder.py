# SPDX-License-Identifier: MIT
"""A run that can be stopped at any moment: what it is, and one line for each structure that is done."""
import dataclasses
import json
import os

import numpy as np

from .labelling import Label, Rejected
from .structures import InputError


def write_whole(path, text):
    """The file is there with all its text, or as it was."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(text)
    os.replace(unfinished, path)


class RunFolder:
    """RUN/request.json says what is computed; RUN/labels.jsonl grows by one line for each structure, kept or rejected."""

    def __init__(self, path, request):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.take_request(request)
        self.entries = {}
        self.log = path / "labels.jsonl"
        self.read_log()

    def take_request(self, request):
        request = json.loads(json.dumps(request))
        file = self.path / "request.json"
        if not file.exists():
            write_whole(file, json.dumps(request, indent=1) + "\n")
            return
        there = json.loads(file.read_text())
        for key in sorted(there.keys() | request.keys()):
            if there.get(key) != request.get(key):
                raise InputError(f"{self.path} holds a run with other settings ({key}: {short(there.get(key))} there, "
                                 f"{short(request.get(key))} here): repeat that one to go on with it, or choose another folder")

    def read_log(self):
        if not self.log.exists():
            return
        content = self.log.read_bytes()
        complete = content[:content.rfind(b"\n") + 1]  # a line that was being written when the power went is computed again
        if len(complete) < len(content):
            self.log.write_bytes(complete)
        for line in complete.splitlines():
            entry = json.loads(line)
            self.entries[entry["key"]] = entry

    def label(self, frame, key, compute):
        """The label of a frame: of an earlier run, or compute(frame). Throws Rejected, also again."""
        entry = self.entries.get(key)
        if entry is None:
            entry = {"key": key, "positions": frame.positions.tolist()}
            try:
                entry["label"] = dataclasses.asdict(compute(frame))
            except Rejected as reason:
                entry["rejected"] = str(reason)
            self.append(entry)
        elif not np.allclose(entry["positions"], frame.positions, rtol=0, atol=1e-8):
            raise InputError(f"{self.log}: {key} was computed at other positions: the folder is not of this run")
        if "rejected" in entry:
            raise Rejected(entry["rejected"])
        return Label(**entry["label"])

    def append(self, entry):
        with open(self.log, "a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries[entry["key"]] = entry


def short(value):
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."
