"""`pellucid plan`: how a model is compiled."""

from __future__ import annotations

import click

from pellucid.cli._output import Output, json_option, quiet_option

__all__ = ["command"]


@click.command()
@click.argument("model", type=click.Path())
@click.option("--batch-size", default=32, show_default=True, help="How many samples at a time.")
@click.option(
    "--asm",
    metavar="LAYER",
    help="Show a layer's kernels: the Python that writes them, and the machine code.",
)
@json_option
@quiet_option
def command(model: str, batch_size: int, asm: str | None) -> None:
    """Show how a model is compiled: kernels, times, fallbacks.

    MODEL is a .keras, .h5 or .onnx file.
    """
    from pellucid import load_model
    from pellucid.compiler.engine import plan_for, refusal
    from pellucid.compiler.report import lines, machine_code, python_code, table

    out = Output()
    program = load_model(model, compile=False).program()
    plan = plan_for(program, batch_size)
    if plan is None:
        reason = refusal(program)
        out.data({"compiled": False, "reason": reason})
        out.line(f"The reference engine runs this model: {reason}.")
        return
    if asm is not None:
        text, source = machine_code(plan, asm), python_code(plan, asm)
        out.data({"layer": asm, "python": source, "assembly": text})
        out.line(f"{source}\n{text}")
        return
    found = lines(plan)
    out.data(
        {
            "compiled": True,
            "batch_size": batch_size,
            "threads": plan.team.threads,
            "lanes": plan.compiled.target.width.lanes,
            "bytes": plan.bytes,
            "lines": [vars(line) for line in found],
            "reasons": {g.layer: g.reason for g in plan.compiled.builder.groups if g.reason},
        }
    )
    out.line(table(plan, found))
