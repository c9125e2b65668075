#!/bin/sh
# Where a site's own command would stand. Exit status 0 is success; after any other it is run again later.
set -eu
echo "pointing to $BURST_NAME at RA $BURST_RA Dec $BURST_DEC, within $BURST_ERROR deg (try $BURST_TRY)"
