"""What a model file holds, found out without running, building or believing anything in it."""

from pellucid.formats.inspection._contents import FileContents, Measures, StoredArray, measured
from pellucid.formats.inspection._files import inspect_file

__all__ = ["FileContents", "Measures", "StoredArray", "inspect_file", "measured"]
