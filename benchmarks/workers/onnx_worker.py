"""ONNX Runtime, inference only: the model written as an ONNX graph, optimised as it sees fit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import protocol
import works
from onnx import helper, numpy_helper


def versions() -> dict[str, str]:
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}


class Graph:
    """An ONNX graph that grows layer by layer; tensors are (N, C, H, W) here."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.parameters = 0
        self.rng = np.random.default_rng(0)

    def weight(self, value: Any, trainable: bool = True) -> str:
        name = f"w{len(self.arrays)}"
        self.arrays.append(numpy_helper.from_array(np.asarray(value, "float32"), name))
        self.parameters += np.size(value) if trainable else 0
        return name

    def kernel(self, *shape: int) -> str:
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        return self.weight(self.rng.normal(0, deviation, shape))

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def layer(self, given: Any, x: str, channels: int) -> str:
        window: dict[str, Any] = {}
        if isinstance(given, works.Conv | works.Depthwise | works.Pool):
            window = {"kernel_shape": [given.kernel] * 2, "strides": [given.stride] * 2}
            window["auto_pad"] = "SAME_UPPER" if given.padding == "same" else "VALID"
        match given:
            case works.Conv(filters, side):
                bias = [self.weight(np.zeros(filters))] if given.bias else []
                return self.node(
                    "Conv", x, self.kernel(filters, channels, side, side), *bias, **window
                )
            case works.Depthwise(side):
                kernel = self.kernel(channels, 1, side, side)
                return self.node("Conv", x, kernel, group=channels, **window)
            case works.Pool(kind):
                return self.node("MaxPool" if kind == "max" else "AveragePool", x, **window)
            case works.Relu(None):
                return self.node("Relu", x)
            case works.Relu(limit):
                return self.node("Clip", x, self.weight(0, False), self.weight(limit, False))
            case works.Dense(units):
                kernel, bias = self.kernel(units, channels), self.weight(np.zeros(units))
                return self.node("Gemm", x, kernel, bias, transB=1)
            case works.BatchNorm():
                own = [self.weight(np.ones(channels)), self.weight(np.zeros(channels))]
                moving = [
                    self.weight(np.zeros(channels), False),
                    self.weight(np.ones(channels), False),
                ]
                return self.node("BatchNormalization", x, *own, *moving, epsilon=1e-3)
            case works.GlobalAverage():
                return self.node("Flatten", self.node("GlobalAveragePool", x))
            case works.Flatten() | works.Softmax():
                return self.node(type(given).__name__, x)
        raise ValueError(given)

    def chain(self, layers: Any, x: str, shape: tuple[int, ...]) -> str:
        for given in layers:
            if isinstance(given, works.Residual):
                body, shortcut = (self.chain(g, x, shape) for g in (given.body, given.shortcut))
                x = self.node("Add", body, shortcut)
            elif not isinstance(given, works.Dropout):
                x = self.layer(given, x, shape[-1])
            shape = works.output_shape(given, shape)
        return x


def prepare(layers: Any, shape: Any, mode: str, x: Any, y: Any) -> Any:
    del y  # for training
    if mode == "train":
        raise NotImplementedError("ONNX Runtime is measured in inference only")
    graph = Graph()
    result = graph.chain(layers, "x", shape)
    height, width, channels = shape
    sizes = [x.shape[1], channels, height, width]
    image = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, sizes)
    output = helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "model", [image], [output], graph.arrays),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = protocol.THREADS
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    batches = [np.ascontiguousarray(np.moveaxis(part, -1, 1)) for part in x]

    def infer(steps: int) -> int:
        for step in range(steps):
            session.run(None, {"x": batches[step % len(batches)]})
        return steps

    return graph.parameters, infer


if __name__ == "__main__":
    protocol.serve(sys.modules[__name__])
