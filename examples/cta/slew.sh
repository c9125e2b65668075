#!/bin/sh
# Where the command that repoints the telescopes would stand. What the event says is in VOEVENT_* variables,
# the packet itself on standard input; what is printed goes to voeflow's log.
set -eu
echo "repointing to RA $VOEVENT_RA Dec $VOEVENT_DEC, within $VOEVENT_ERROR deg, for $VOEVENT_IVORN"
