"""Programs of operations: what a model computes, as a flat list that any engine can run."""

from pellucid.graph.program import Node, Program, Tracer, Value
from pellucid.graph.variable import Variable

__all__ = ["Node", "Program", "Tracer", "Value", "Variable"]
