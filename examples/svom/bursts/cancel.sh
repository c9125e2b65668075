#!/bin/sh
# Where a site's own command would stand: the burst was retracted after the telescope had been sent to it.
set -eu
echo "calling off $BURST_NAME"
