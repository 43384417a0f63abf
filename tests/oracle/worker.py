"""Runs inside the Keras environment: reads one request a line, answers with one line each."""

import importlib
import json
import os
import sys
import traceback

import numpy as np

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever Keras prints goes to the log and not between the answers

for line in sys.stdin:
    request = json.loads(line)
    try:
        module, name = request["function"].split(".")
        with np.load(request["in"]) as file:
            arrays = dict(file)
        function = getattr(importlib.import_module(module), name)
        results, value = function(arrays, request["settings"])
        np.savez(request["out"], **results)
        answer = {"result": value}
    except Exception:  # noqa: BLE001  the error belongs to the test that asked
        answer = {"error": traceback.format_exc()}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
