#!/usr/bin/env bash
# Makes build/busybox/busybox: a static busybox with every applet of its default configuration.
#
# critest calls pgrep and ipcs, which Debian's busybox-static lacks, and puts programs of its own at the paths of
# applets, which Debian's build passes over because it prefers its applets to files. So the test images have a busybox
# from Debian's source package with the configuration that upstream means by default.
#
# usage: hack/build-busybox.sh      prints the path. Where it cannot be built, warns and prints Debian's own.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/busybox
if [ -x $out/busybox ]; then
  echo "$PWD/$out/busybox"
  exit
fi

work=$PWD/$out/work
log=$PWD/$out/build.log
mkdir -p $out

build() (
  set -euo pipefail
  rm -rf "$work"
  mkdir -p "$work"/{sources,lists/partial,source}
  # The machine's own sources, asked for source packages, with lists of their own: nothing of the machine's changes.
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/sources/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$file" ] || sed -n 's/^deb\(-src\)\? /deb-src /p' "$file" | sort -u >"$work/sources/$(basename "$file" .list).list"
  done
  apt=(apt-get -q -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources"
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
    -o "APT::Sandbox::User=root")
  "${apt[@]}" update
  cd "$work/source"
  "${apt[@]}" source busybox
  cd busybox-*/
  make defconfig
  # tc wants constants that newer kernel headers no longer have; no test needs it.
  sed -i -e 's/.*CONFIG_STATIC is not set.*/CONFIG_STATIC=y/' -e 's/^CONFIG_TC=y/# CONFIG_TC is not set/' .config
  (yes '' || true) | make oldconfig
  make -j"$(nproc)" busybox
  ./busybox --list | grep -qx pgrep
  install busybox "$work/../busybox.new"
)

# Not `if build`: bash would then pass over a failed command inside it.
set +e
build >"$log" 2>&1 </dev/null
status=$?
set -e
rm -rf "$work"
if [ $status -eq 0 ]; then
  mv $out/busybox.new $out/busybox
  echo "$PWD/$out/busybox"
else
  echo "hack/build-busybox.sh: busybox could not be built ($log says why); Debian's is used, and the specs of" \
    "critest that need pgrep, ipcs or replaced applets will fail" >&2
  echo /bin/busybox
fi
