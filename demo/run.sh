#!/bin/sh
# The whole way once, for real: a root file system is committed, published over HTTP, pulled by a
# device, deployed, shown as pending and booted into.
#
# It runs in mount and network namespaces of its own, so that /srv/http and port 80 are the real ones
# for every command, and nothing of this machine changes. The "device" is a directory with its own
# /ostree, /boot, /etc and /var, entered the way its initial RAM file system would enter it.
#
# OSTREE=/usr/bin/ostree OSTREE_HTTPD=/usr/libexec/libostree/ostree-trivial-httpd demo/run.sh
#                                      shows the same with the C implementation.
# DEMO_KEEP=1                          leaves the directory with the repository and the device.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
OSTREE=${OSTREE:-$here/../.venv/bin/ostree}
case $OSTREE in
    /*) ;;
    *) OSTREE=$(cd "$(dirname "$OSTREE")" && pwd)/$(basename "$OSTREE") ;;
esac
export OSTREE

case $here/ in
    /srv/*)
        echo "The demo covers /srv with its own: run it from a checkout elsewhere" >&2
        exit 1
        ;;
esac

if [ -z "${DEMO_WORK:-}" ]; then
    DEMO_PACKAGES=$("$here/fetch-packages") # now: inside there is no network but the demo's own
    DEMO_WORK=$(mktemp -d "${TMPDIR:-/tmp}/pyostree-demo.XXXXXX")
    export DEMO_PACKAGES DEMO_WORK
    as_root=""
    # Who is not root becomes root of a user namespace: only the namespaces below need it.
    [ "$(id -u)" = 0 ] || as_root="--user --map-root-user"
    status=0
    # shellcheck disable=SC2086
    unshare $as_root --mount --net --pid --fork --kill-child --propagation private "$0" || status=$?
    if [ -n "${DEMO_KEEP:-}" ]; then
        echo "kept: $DEMO_WORK"
    else
        # A deployment's root directory is immutable: whoever removes it has to say so.
        chattr -i "$DEMO_WORK"/device/ostree/deploy/*/deploy/*.[0-9] 2>/dev/null || true
        rm -rf "$DEMO_WORK"
    fi
    exit "$status"
fi

. "$here/transcript.sh"

branch=dunfell-am335x-hw26-dev
mount -t proc proc /proc
ip link set lo up
mkdir -p "$DEMO_WORK/bin" "$DEMO_WORK/srv/http" "$DEMO_WORK/device"
ln -s "$OSTREE" "$DEMO_WORK/bin/ostree"
PATH=$DEMO_WORK/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount --bind "$DEMO_WORK/srv" /srv
cd "$DEMO_WORK"

title "The build host: version 1"
"$here/build-rootfs" "$DEMO_PACKAGES" "$DEMO_WORK/rootfs"
run 'du -sh --apparent-size rootfs; ls rootfs/usr/lib/modules/*'
run 'ostree init --repo=/srv/http/ostree_repo --mode=archive'
run "ostree commit --repo=/srv/http/ostree_repo -b $branch -s 'Version 1' \\
    --owner-uid=0 --owner-gid=0 --add-metadata-string=version=1 --tree=dir=rootfs"
run 'ostree summary -u --repo=/srv/http/ostree_repo'

title "The factory: a disk for the board, with U-Boot, version 1 installed"
run 'ostree admin init-fs device'
run 'ostree admin os-init --sysroot=device board'
# What marks a disk as booted by U-Boot: an uEnv.txt behind the link that every update switches.
run 'mkdir device/boot/loader.0 && ln -s loader.0 device/boot/loader &&
    touch device/boot/loader/uEnv.txt && ln -s loader/uEnv.txt device/boot/uEnv.txt'
run "ostree pull-local --repo=device/ostree/repo --remote=factory /srv/http/ostree_repo $branch"
run "ostree admin deploy --sysroot=device --os=board --karg=root=/dev/mmcblk0p2 --karg=rw factory:$branch"

title "The build host: version 2, published"
"$here/make-version-2" "$DEMO_WORK/rootfs"
run "ostree commit --repo=/srv/http/ostree_repo -b $branch -s 'Version 2' \\
    --owner-uid=0 --owner-gid=0 --add-metadata-string=version=2 --tree=dir=rootfs"
run "ostree diff --repo=/srv/http/ostree_repo $branch^ $branch"
run "ostree log --repo=/srv/http/ostree_repo $branch"
run 'ostree summary -u --repo=/srv/http/ostree_repo'
serve() {
    if [ -x "${OSTREE_HTTPD:-}" ]; then # the C ostree keeps its web server in a place of its own
        "$OSTREE_HTTPD" "$@"
    else
        run "ostree trivial-httpd $*"
    fi
}
serve --daemonize --autoexit -P 80 /srv/http

"$here/boot-device" "$DEMO_WORK/device" "$here/on-device" update
"$here/boot-device" "$DEMO_WORK/device" "$here/on-device" updated
