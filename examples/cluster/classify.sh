# Where a classifier would stand. The packet comes on standard input, its facts in VOEVENT_* variables. An event
# may come twice if a worker died: VOEVENT_DELIVERY is then the same, on whichever worker.
echo "classified $VOEVENT_IVORN: $(grep -c '<Param' || true) parameters"
