# What a telescope's control would do. The packet comes on standard input, its facts in VOEVENT_* variables.
echo "slewing to RA ${VOEVENT_RA:-unknown} Dec ${VOEVENT_DEC:-unknown} (error ${VOEVENT_ERROR:-unknown} deg)"
