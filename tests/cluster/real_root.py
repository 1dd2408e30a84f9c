#!/usr/bin/env python3
"""Runs a command whose root directory is also the root of its mount namespace, which in a chroot it is not.

real_root.py COMMAND [ARGUMENT...]     wants a mount namespace of its own, and makes all mounts in it private

A container keeps the root of the mount namespace it was made in below its own. In a chroot that is the tree outside of it,
and there whoever joins the container's namespace later, as `kubectl exec` does, would find himself.
"""
import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 1 << 12, 1 << 13, 1 << 14, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def must(what, result):
    if result != 0:
        error = ctypes.get_errno()
        sys.exit(f"real_root: {what}: {os.strerror(error)}; run as root, in a mount namespace of its own")


def main():
    ours = os.open("/", os.O_PATH | os.O_DIRECTORY)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    # Joining the namespace that we are in sets our root directory to the namespace's.
    must("cannot join my own mount namespace", libc.setns(namespace, CLONE_NEWNS))
    # unshare would do this, but cannot where the chroot's directory is no mount point.
    must("cannot make the mounts private", libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    if not os.path.sameopenfile(ours, os.open("/", os.O_PATH)):
        os.fchdir(ours)
        # Only a mount can be moved, and the chroot's directory need not be one: bind it to some directory first.
        must("cannot bind the chroot", libc.mount(b".", b"mnt", None, MS_BIND | MS_REC, None))
        os.chdir("mnt")
        must("cannot make the chroot the root", libc.mount(b".", b"/", None, MS_MOVE, None))
        os.chroot(".")
    os.chdir("/")
    os.close(namespace)
    os.close(ours)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
