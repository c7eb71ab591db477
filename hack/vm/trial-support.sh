# Sourced by the trials in the virtual machine.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

ok() { echo "ok $(printf '%4d' $SECONDS)s  $*"; }
wrong() {
  echo "WRONG: $*"
  journalctl --no-pager --unit berth --unit kubelet --unit containerd --unit kube-apiserver --output cat | tail -n 80
  exit 1
}
# Tries a command once a second. usage: wait_for SECONDS WHAT COMMAND...
wait_for() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || wrong "not so in time: $what"
    sleep 1
  done
  ok "$what"
}
