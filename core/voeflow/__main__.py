"""`python -m voeflow` is the command `voeflow`."""

from voeflow._command import main

main(prog_name="voeflow")
