#!/usr/bin/env python3
"""Makes a container image without a daemon: a docker-archive with one layer on nothing, the same bytes for the same input.

mkimage.py OUT.tar NAME:TAG [--user UID:GID] [--env KEY=VALUE]... FILE=/path/in/image... -- ENTRYPOINT [ARGUMENT...]

A FILE keeps its run bit. Directories are made as needed, /tmp always. To load it: ctr -n k8s.io images import OUT.tar
"""
import argparse
import hashlib
import io
import json
import os
import sys
import tarfile


def entry(name, mode, kind=tarfile.REGTYPE, size=0):
    """A tar header that says nothing of the machine, the user or the hour."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, size, 0
    return info


def add_bytes(archive, name, data):
    archive.addfile(entry(name, 0o644, size=len(data)), io.BytesIO(data))


def as_json(value):
    return json.dumps(value, sort_keys=True).encode()


def make_layer(files):
    """files: pairs of a path here and an absolute path in the image."""
    layer = io.BytesIO()
    made = set()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        def make_directory(path, mode=0o755):
            if path and path not in made:
                make_directory(os.path.dirname(path))
                made.add(path)
                archive.addfile(entry(path, mode, tarfile.DIRTYPE))

        make_directory("tmp", 0o1777)
        for source, target in sorted(files, key=lambda pair: pair[1]):
            target = target.lstrip("/")
            make_directory(os.path.dirname(target))
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
            with open(source, "rb") as content:
                archive.addfile(entry(target, mode, size=os.fstat(content.fileno()).st_size), content)
    return layer.getvalue()


def make_image(out, reference, files, entrypoint, user, env):
    layer = make_layer(files)
    layer_id = hashlib.sha256(layer).hexdigest()
    runtime = {"Entrypoint": entrypoint, "Env": ["PATH=/bin:/"] + env, "WorkingDir": "/"}
    if user:
        runtime["User"] = user
    epoch = "1970-01-01T00:00:00Z"
    config = as_json({
        "architecture": "amd64", "os": "linux", "created": epoch, "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layer_id]},
        "history": [{"created": epoch, "created_by": "mkimage"}],
    })
    config_id = hashlib.sha256(config).hexdigest()
    manifest = as_json([{"Config": config_id + ".json", "RepoTags": [reference], "Layers": [layer_id + ".tar"]}])
    # Written beside its place and moved there, so that nobody imports half an image.
    partial = f"{out}.{os.getpid()}"
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as archive:
        add_bytes(archive, config_id + ".json", config)
        add_bytes(archive, layer_id + ".tar", layer)
        add_bytes(archive, "manifest.json", manifest)
    os.replace(partial, out)


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments:
        sys.exit("mkimage: no entry point; write it after --\n" + __doc__)
    cut = arguments.index("--")
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("reference")
    parser.add_argument("--user", default="")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("files", nargs="+")
    options = parser.parse_intermixed_args(arguments[:cut])
    files = []
    for pair in options.files:
        source, equals, target = pair.partition("=")
        if not equals or not target.startswith("/"):
            sys.exit(f"mkimage: {pair!r} is not FILE=/path/in/image")
        if not os.path.isfile(source):
            sys.exit(f"mkimage: {source} is not a file; build it first")
        files.append((source, target))
    if not arguments[cut + 1:]:
        sys.exit("mkimage: nothing after --; write the entry point there")
    make_image(options.out, options.reference, files, arguments[cut + 1:], options.user, options.env)


if __name__ == "__main__":
    main()
