#!/bin/sh
# Prints the suitable Pythons of this machine, newest first, as lines "3.13 /path/to/python", one per version: of several,
# such as 3.11.2 and 3.11.7, the oldest, because later ones have additions. With PYTHON=… only that one, which may also be
# a 3.14.
set -u

candidates() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3 python; do
        (
            IFS=:
            for folder in $PATH; do
                echo "$folder/$name"
            done
        )
    done
    for python in "$(pyenv root 2>/dev/null || echo /nowhere)"/versions/3.*/bin/python; do
        echo "$python"
    done
}

candidates | while read -r python; do
    "$python" -c '
import ensurepip, os, sys
newest = (3, 14) if os.environ.get("PYTHON") else (3, 13)
if (3, 11) <= sys.version_info[:2] <= newest:
    print("%d.%d.%d" % sys.version_info[:3], sys.executable)
' 2>/dev/null
done | sort -t . -k 2,2rn -k 3,3n | awk '{
    split($1, part, ".")
    minor = part[1] "." part[2]
    sub($1, minor)
    if (!seen[minor]++) print
}'
