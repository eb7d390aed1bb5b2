#!/bin/sh
# An empty server on this machine: the file system copied on write, processes and network of its own. Everything in it ends with
# this command. usage: namespace.sh <command> …
# The network outside, for package downloads, is /run/outside: nsenter --net=/run/outside <command> …
set -eu
if [ "${1:-}" = --inside ]; then
    shift
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
    mount --rbind /dev /mnt/root/dev
    mount --rbind /sys /mnt/root/sys
    mount -t proc proc /mnt/root/proc
    mount -t tmpfs tmpfs /mnt/root/run
    touch /mnt/root/run/outside
    mount --bind /proc/self/ns/net /mnt/root/run/outside
    here=$PWD
    cd /mnt/root
    pivot_root . .
    umount -l .
    cd "$here"
    exec unshare --net "$@"
fi
exec unshare --mount --pid --fork --kill-child "$0" --inside "$@"
