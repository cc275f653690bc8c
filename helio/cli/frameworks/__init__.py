"""`helio frameworks`: design of metal-organic and covalent organic frameworks, from data to screened crystals."""

from __future__ import annotations

import typer

from helio.cli.frameworks import crystals, data, model

app = typer.Typer(no_args_is_help=True, help="Metal-organic and covalent frameworks: data, models, new crystals.")
app.command(epilog=data.BUILD_EPILOG)(data.build)
app.command("import", epilog=data.IMPORT_EPILOG)(data.import_)
app.command(epilog=data.LABEL_EPILOG)(data.label)
app.command(epilog=data.INFO_EPILOG)(data.info)
app.command()(model.template)
app.command()(model.train)
app.command()(model.sample)
app.command()(model.optimise)
app.command()(crystals.assemble)
app.command()(crystals.relax)
app.command()(crystals.check)
app.command()(crystals.screen)
app.command()(crystals.campaign)
