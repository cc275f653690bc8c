"""`python -m helio` is the `helio` command."""

from helio.cli import main

main()
