"""Questions about `keras.ops`, answered in the Keras environment."""

from operator import attrgetter

import keras
import numpy as np


def call(arrays, settings):
    """Call `keras.ops.<name>` on the arrays `x0`, `x1` … and keyword arguments.

    Settings: name ("relu", "image.resize"), arguments (JSON), and `keywords`: arrays that are
    passed by keyword.
    The result, or each of several results, comes back as `y0`, `y1` …
    """
    positional = [arrays[f"x{i}"] for i in range(sum(k[0] == "x" for k in arrays))]
    keywords = {k.removeprefix("kw_"): v for k, v in arrays.items() if k.startswith("kw_")}
    function = attrgetter(settings["name"])(keras.ops)
    arguments = {
        name: tuple(value) if isinstance(value, list) else value  # JSON has no tuples
        for name, value in settings.get("arguments", {}).items()
    }
    result = function(*positional, **keywords, **arguments)
    results = result if isinstance(result, (tuple, list)) else [result]
    return {f"y{i}": np.asarray(y) for i, y in enumerate(results)}, None
