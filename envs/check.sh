#!/bin/sh
# Check what installing needs, before anything is installed, and print the Python to use.
#   sh envs/check.sh [PYTHON]
# Without PYTHON the first supported one on PATH. What is missing is one line on stderr.
supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
[ -n "$1" ] || set -- python3.12 python3.13 python3.11 python3 python
python= other=
for name in "$@"; do
  "$name" -c "$supported" 2>/dev/null && python=$name && break
  [ -n "$other" ] || other=$("$name" -V 2>/dev/null)
done

missing= apt= dnf=
needs() { # what is missing, its packages for apt and for dnf
  missing="$missing${missing:+, }$1" apt="$apt $2" dnf="$dnf${3:+ $3}"
}

if [ -n "$python" ]; then
  PYTHONPATH=scripts "$python" -m cellseg.runtime.checkout_path "$PWD" || exit 1
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  # What setuptools calls, and where it looks for headers.
  compiler=${CC:-$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')}
  include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    needs "the venv module" "python$version-venv"
else
  name=python3 compiler=${CC:-cc} include=
  [ -z "$other" ] || name=python3.12 # the distribution's python3 is another
  for version in 3.11 3.13 3.12; do
    apt-cache show "python$version" > /dev/null 2>&1 && name=python$version
  done
  needs "Python 3.11, 3.12 or 3.13${other:+ (found $other; or name one: PYTHON=/path/to/python3.12)}" \
    "$name $name-venv $name-dev" "$name $name-devel"
fi

probe=$(mktemp -d) || exit 1
trap 'rm -r "$probe"' EXIT
compiles() { # a header, compiled and linked as an extension module is
  echo "#include <$1>" > "$probe/probe.c"
  # shellcheck disable=SC2086 # a compiler may come with options
  $compiler -shared -fPIC ${include:+-I"$include"} "$probe/probe.c" -o "$probe/probe.so" \
    > /dev/null 2>&1
}
compiles stdio.h || needs "a C compiler ($compiler)" build-essential gcc
if [ -n "$python" ] && [ ! -e "$include/Python.h" ]; then
  needs "Python.h" "python$version-dev" "python$version-devel"
fi

if [ -n "$missing" ]; then
  echo "Missing: $missing. Nothing was installed. On Debian or Ubuntu: apt install$apt" \
    "${dnf:+(Fedora: dnf install$dnf)}" >&2
  exit 1
fi
echo "$python"
