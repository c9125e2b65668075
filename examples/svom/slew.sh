#!/bin/sh
# Where a site's own command would stand. What the event says is in VOEVENT_* variables, the packet itself on
# standard input; what is printed goes to voeflow's log. Exit status 0 is success; after any other, voeflow
# tries again later.
set -eu

# The same event may come again (after a crash of the node, say): VOEVENT_DELIVERY is then the same, and
# VOEVENT_ATTEMPT above 1 where it failed before. A command that must not act twice remembers what it did.
echo "slewing to RA $VOEVENT_RA Dec $VOEVENT_DEC, within $VOEVENT_ERROR deg (attempt $VOEVENT_ATTEMPT)"
env | grep '^VOEVENT_' | sort
echo "the packet has $(wc -c | tr -d ' ') bytes"
