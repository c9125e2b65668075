"""The VOEvent Transport Protocol, VTP 2.0: its four roles sans I/O, the plugins and commands around them."""
