# Builds and runs a Go program that comes over the socket on descriptor 3, see
# package kernel. $1 is the go command.
IFS=' ' read -r _op _mode _lines bytes given <&3 || exit 0
dir=$(mktemp -d /tmp/.agb-go-XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
input=/dev/null
if [ "$given" = - ]; then
  head -c "$bytes" <&3 >"$dir/main.go"
else
  # At once: a plain head may read too much.
  input=$dir/input
  head -c "$((bytes + given))" <&3 >"$dir/both"
  head -c "$bytes" "$dir/both" >"$dir/main.go"
  tail -c "$given" "$dir/both" >"$input"
fi
unbuilt=false
if "$1" build -o "$dir/main" "$dir/main.go" 3<&-; then
  "$dir/main" 3<&- <"$input"
  status=$?
else
  status=$? unbuilt=true
fi
body="{\"status\":$status,\"unbuilt\":$unbuilt}"
printf 'done %d\n%s' "${#body}" "$body" >&3
exit "$status"
