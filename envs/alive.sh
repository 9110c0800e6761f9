#!/bin/sh
# Run a command that may be silent for long, with a line every 10 seconds:
#   sh envs/alive.sh "Installing packages" COMMAND ARGUMENTS...
what=$1
shift
(
  seconds=0
  # Without the streams: a reader of this script's output need not wait for the last sleep.
  while sleep 10 > /dev/null 2>&1 < /dev/null && kill -0 $$ 2> /dev/null; do
    seconds=$((seconds + 10))
    echo "$what: $seconds s"
  done
) &
alive=$!
trap 'kill $alive 2> /dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$@"
