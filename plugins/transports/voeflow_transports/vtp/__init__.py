"""The VOEvent Transport Protocol, VTP 2.0: its four roles sans I/O, and the plugins and commands about them."""
