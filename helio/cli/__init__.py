"""The command line: one thin file per command that parses, calls and prints.

A command's file imports nothing heavy at its top (typer and the standard library only), so that `helio --help` is
instant; what does the work is imported inside the command's function. A `HelioError` becomes one line on stderr and
exit status 1, Ctrl-C exit status 130.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from helio import __version__
from helio.cli import build, coarse, data, frameworks, model, template
from helio.cli.analyse import EPILOG as ANALYSE_EPILOG
from helio.cli.analyse import analyse
from helio.cli.bench import EPILOG as BENCH_EPILOG
from helio.cli.bench import bench
from helio.cli.calibrate import EPILOG as CALIBRATE_EPILOG
from helio.cli.calibrate import calibrate
from helio.cli.distill import distill
from helio.cli.doctor import doctor
from helio.cli.eval import evaluate
from helio.cli.export import export
from helio.cli.finetune import finetune
from helio.cli.finite import with_finite_numbers
from helio.cli.generate import generate
from helio.cli.md import MDCommand, md
from helio.cli.opt import opt
from helio.cli.output import guarded_output, shortened, visible
from helio.cli.report import EPILOG as REPORT_EPILOG
from helio.cli.report import report
from helio.cli.resume import resume
from helio.cli.train import train
from helio.cli.tune_damping import tune_damping
from helio.errors import HelioError
from helio.files.atomic import advice_on


class _Commands(TyperGroup):
    """Turns the errors that a user can mend into one line, and guards what is printed."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with guarded_output():
            return super().main(*args, **kwargs)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, whose numbers must be finite."""
        return with_finite_numbers(super().get_command(ctx, cmd_name))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HelioError as error:
            _print_error(str(error))
        except OSError as error:
            if error.filename is None or (advice := advice_on(error)) is None:
                raise
            _print_error(f"cannot use {error.filename}: {advice}")
        except KeyboardInterrupt:
            _print_error(None)
            raise typer.Exit(130) from None
        raise typer.Exit(1) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order in which they are registered below."""
        return list(self.commands)


app = typer.Typer(
    name="helio",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_error(message: str | None) -> None:
    text = "Interrupted" if message is None else shortened("Error: " + visible(" ".join(message.split())))
    stream = sys.stderr
    if stream.isatty():  # colors pass beside the guard of what is printed
        text, stream = typer.style(text, fg=typer.colors.RED), getattr(stream, "rich_proxied_file", stream)
    print(text, file=stream)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"helio {__version__}")
        raise typer.Exit


@app.callback()
def _helio(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Atomistic simulation with pretrained SO3LR-type force fields."""


# Commands, in the order of `helio --help`: app.command()(function), or app.add_typer(...) for a family of commands.
app.command(cls=MDCommand)(md)
app.command(epilog="Example: helio resume run")(resume)
app.command(epilog="Example: helio export run --format xtc")(export)
app.command(epilog=REPORT_EPILOG)(report)
app.command(epilog=ANALYSE_EPILOG)(analyse)
app.add_typer(template.app, name="template")
app.command(epilog="Example: helio opt peptide.xyz --fmax 0.01")(opt)
app.command("eval")(evaluate)
app.add_typer(build.app, name="build")
data.app.command(epilog="Example: helio data generate recipe.yaml train.h5")(generate)
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(coarse.app, name="coarse")
app.add_typer(frameworks.app, name="frameworks")
app.command(epilog="Example: helio train settings.yaml --dry-run")(train)
app.command(epilog="Example: helio distill --teacher so3lr --student train.yaml --recipe recipe.yaml")(distill)
app.command(epilog="Example: helio finetune ethanol.h5 --part heads --part last-layer=0.1")(finetune)
app.command(epilog=CALIBRATE_EPILOG)(calibrate)
app.command("tune-damping", epilog="Example: helio tune-damping s66x8.extxyz --out tuned.safetensors")(tune_damping)
app.command(epilog=BENCH_EPILOG)(bench)
app.command()(doctor)


def main() -> None:
    """Run the command line."""
    # When it loads a compiled program for the CPU, XLA prints pages of false alarms about features of the machine; this
    # is read as soon as JAX is imported. The real danger, a cache that different machines share, is met by a folder for
    # each kind of processor.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()
