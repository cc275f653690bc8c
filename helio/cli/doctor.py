"""`helio doctor`."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check the installation: versions, devices, model cache, golden energies."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from helio.installation import examine

    console = Console()
    table = Table("", "", "found")
    wrong = 0
    with console.status("Examining"):
        for finding in examine():
            mark = "[red]wrong[/]" if finding.wrong else "[yellow]note[/]" if finding.advice else "[green]ok[/]"
            advice = f"\n[bold]-> {escape(finding.advice)}[/]" if finding.advice else ""
            table.add_row(mark, escape(finding.subject), escape(finding.found) + advice)
            wrong += finding.wrong
    console.print(table)
    if wrong:
        console.print(f"[red]{wrong} of these must be mended before results can be trusted (see ->).[/]")
        raise typer.Exit(1)
    console.print("All is well.")
