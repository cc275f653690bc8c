"""The options of `helio md`, made from the settings themselves.

Settings come with the whole engine, so the options are made only when `helio md` itself is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

# Settings that have no form on a single line.
_ONLY_IN_FILES = ("restraints",)


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """The function as it is listed: without the options that stand for its `**settings`."""
    own = inspect.signature(function, eval_str=True).parameters.values()
    kept = [parameter for parameter in own if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = inspect.Signature(kept)  # pyright: ignore[reportFunctionMemberAccess]
    return function


def settings_command(function: Callable[..., None], *, epilog: str) -> type[TyperCommand]:
    """The class of a command that gets an option for each of `MDSettings`, None by default, when it is called."""

    @cache
    def whole() -> Any:
        def command(**values: Any) -> None:
            function(**values)

        own = inspect.signature(function).parameters.values()
        command.__doc__ = function.__doc__
        command.__signature__ = inspect.Signature([*own, *_parameters()])  # pyright: ignore[reportFunctionMemberAccess]
        app = typer.Typer(add_completion=False)
        app.command(epilog=epilog)(command)
        return typer.main.get_command(app)

    class Command(TyperCommand):
        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            return whole().make_context(info_name, args, parent=parent, **extra)

    return Command


def _parameters() -> list[inspect.Parameter]:
    from helio.simulate.settings import SECTIONS, MDSettings

    panel, made = "", []
    for name, field in MDSettings.model_fields.items():
        panel = SECTIONS.get(name, panel)
        if name not in _ONLY_IN_FILES:
            option = typer.Option(help=_help(field), rich_help_panel=panel, show_default=False)
            made.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None,
                    annotation=Annotated[_option_type(field) | None, option],
                )
            )
    return made


def _option_type(field: FieldInfo) -> Any:
    """What the command line checks itself; the rest is text that the settings read."""
    from helio.settings.description import choices, parts

    words = choices(field.annotation)
    if words:
        return Literal[words]
    return next((kind for kind in (bool, int, float) if set(parts(field.annotation)) <= {kind, type(None)}), str)


def _help(field: FieldInfo) -> str:
    default = field.default
    text = f"{field.description}".removesuffix(".")
    if default is not None and default != ():
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text += f"; default {shown}"
    return text[0].upper() + text[1:] + "."
