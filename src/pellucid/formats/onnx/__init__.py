"""ONNX files: models of other libraries in, Pellucid's own out. Needs the extra `[onnx]`."""
