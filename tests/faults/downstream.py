"""A node that subscribes to another."""

from __future__ import annotations

#: It comes back soon. `@PORT@` stands for the other's port for subscribers.
DOWNSTREAM = """\
ivoid = "ivo://org.example/downstream"
[transports.upstream]
plugin = "vtp-subscribe"
remote = "127.0.0.1:@PORT@"
alive_patience = "3 s"
reconnect_min = "0.05 s"
reconnect_max = "0.2 s"
[handlers.archive]
plugin = "save"
directory = "events"
"""
