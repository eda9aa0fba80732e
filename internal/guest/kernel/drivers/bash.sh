# Runs code that comes over the socket on descriptor 3, see package kernel. These
# lines are joined to one, so that the numbers of lines are those of the code;
# $1 is a line's end. An image may have a plain shell and nothing else.
_agb_nl=$1; shift;
_agb_due=; _agb_cpu=0; _agb_rss=0; _agb_trace=; _agb_debugs=; _agb_debug=; _agb_path=$PATH; _agb_at=;
# 3 is for the code. What bash is to restore it keeps in 10; programs inherit
# neither that nor a copy of it.
_agb_fd=3;
if [ -n "$BASH_VERSION" ] && exec 10<&- && { exec 250<&10; } 3<&-; then exec 3<&-; _agb_fd=250; fi;
# Where a command has failed, outside of a condition: the line of the code in
# which it is or what called it. The driver's eval fails after it and is not
# meant. With set -e the shell is about to end, so that it is told at once. A
# trap of the code's own takes this one's place. What it is run from must find
# $? and $_ as they were, and nothing in what set -x writes.
if [ -n "$BASH_VERSION" ]; then
  trap '{ _agb_arg=$_ _agb_err=$?;
    case $BASH_COMMAND in
    "eval \"\$_agb_code\""*) ;;
    *) _agb_at=${BASH_LINENO:+${BASH_LINENO[@]: -1}}; _agb_at="{\"status\":$_agb_err,\"line\":${_agb_at:-${LINENO:-0}}}";
      case $-$BASH_SUBSHELL in *e*0) command printf "failed %d\n%s" "${#_agb_at}" "$_agb_at" >&"$_agb_fd";; esac;;
    esac;
    : "$_agb_arg"; } 2>/dev/null' ERR;
fi;
# See proc(5) on stat: the times are in ticks of 10 ms, the memory in pages.
_agb_use() {
  IFS=' ' command read -r _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x \
    _agb_u _agb_s _agb_cu _agb_cs _agb_x _agb_x _agb_x _agb_x _agb_x _agb_x _agb_rss _agb_x </proc/$$/stat || return 0;
  _agb_cpu=$(((_agb_u + _agb_s + _agb_cu + _agb_cs) * 10000));
};
# Reads so many bytes, whatever became of PATH.
_agb_take() { PATH=$_agb_path command head -c "$1" <&"$_agb_fd"; };
# Half of what is told must not be left behind.
trap '' INT;
# What the code has traced is not to be traced here. To look for a trap takes a
# process, so that it is done only if the code has ever spoken of one.
_agb_quiet='case $- in *x*) _agb_trace="set -x; ";; esac; set +x;
  if [ -n "$_agb_debugs" ]; then _agb_x=$(trap -p DEBUG); _agb_debug=${_agb_x:-$_agb_debug}; trap - DEBUG; fi';
# Code that breaks out of the inner loop is still in the outer.
while { eval "$_agb_quiet"; } >/dev/null 2>&1; do while :; do
  if [ -n "$_agb_due" ]; then
    trap '' INT;
    _agb_before=$_agb_cpu;
    _agb_use;
    _agb_body="{\"status\":$_agb_status,\"cpu_us\":$((_agb_cpu - _agb_before)),\"max_rss\":$((_agb_rss * 4096))}";
    if [ "$_agb_status" != 0 ] && [ -n "$_agb_at" ]; then command printf 'failed %d\n%s' "${#_agb_at}" "$_agb_at" >&"$_agb_fd"; fi;
    command printf 'done %d\n%s' "${#_agb_body}" "$_agb_body" >&"$_agb_fd";
    if [ "$_agb_due" = last ]; then exit "$_agb_status"; fi;
    _agb_due=;
  fi;
  IFS=' ' command read -r _agb_op _agb_mode _agb_lines _agb_bytes _agb_given <&"$_agb_fd" || exit 0;
  if [ "$_agb_op" != run ]; then _agb_take "$_agb_mode" >/dev/null; continue; fi;
  _agb_code=;
  # Line by line a long one takes too long. A plain head may read too much, so
  # that nothing may follow.
  if [ "$_agb_bytes" -gt 16384 ] && [ "$_agb_given" = - ]; then
    _agb_code=$(_agb_take "$_agb_bytes")$_agb_nl;
    _agb_lines=0;
  fi;
  while [ "$_agb_lines" -gt 0 ]; do
    IFS= command read -r _agb_line <&"$_agb_fd" || exit 0;
    _agb_code=$_agb_code$_agb_line$_agb_nl;
    _agb_lines=$((_agb_lines - 1));
  done;
  _agb_in=/dev/null;
  if [ "$_agb_given" != - ]; then
    _agb_in=/tmp/.agb-input-$$;
    _agb_take "$_agb_given" | { PATH=$_agb_path command cat 2>/dev/null >|"$_agb_in"; PATH=$_agb_path command cat >/dev/null; };
  fi;
  # The driver's trap would be seen by one for DEBUG.
  case $BASH_VERSION$_agb_code in [0-9]*DEBUG*)
    if [ -z "$_agb_debugs" ]; then case $(trap -p ERR) in *_agb_at*) trap - ERR;; esac; fi;
    _agb_debugs=1;;
  esac;
  _agb_code="$_agb_trace${_agb_debug:+eval \"\$_agb_x\"; }$_agb_code"; _agb_x=$_agb_debug;
  _agb_trace=; _agb_debug=;
  _agb_due=$_agb_mode; _agb_status=0; _agb_at=;
  # Not for eval alone: bash would keep the one before, in a number of the code's.
  exec <"$_agb_in";
  # SIGINT leaves whatever loop or list is under way. In a function it does not.
  # Code that breaks out of the driver's loops, being in none, has not failed.
  trap '{ _agb_status=130; } 2>/dev/null; continue 99' INT;
  if [ "$_agb_fd" = 3 ]; then eval "$_agb_code" 3<&-; else eval "$_agb_code"; fi;
  { _agb_status=$?; eval "$_agb_quiet"; } >/dev/null 2>&1;
done; done;
# It has broken out of both.
{ eval "$_agb_quiet"; } >/dev/null 2>&1;
eval "while { ${BASH_EXECUTION_STRING#*while {}"
