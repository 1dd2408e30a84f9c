#!/usr/bin/env bash
# Makes the operator's image without a daemon:  image.sh [PRESET]     (default: release)
# In it: the stripped program, the shared libraries it needs, the CA certificates, an unprivileged user. No shell.
# Prints the path of the archive, which ctr and docker load.
. "$(dirname "$0")/common.sh"
preset=${1:-release}
reference=localhost/gopacer:dev
most=80 # MB

"$ROOT/tools/build.sh" "$preset" gopacer
program=$(find "$ROOT/build/$preset" -name gopacer -type f -perm -u+x -print -quit)
[ -n "$program" ] || die "image: build/$preset holds no program 'gopacer'"

"$ROOT/tools/check_hardening.sh" "$program" || die "image: see the compile options of tools/cmake/GopacerTargets.cmake"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/gopacer" "$program"
echo 'gopacer:x:65532:65532:gopacer:/:/sbin/nologin' >"$work/passwd"
echo 'gopacer:x:65532:' >"$work/group"
echo 'hosts: files dns' >"$work/nsswitch.conf"
files=("$work/gopacer=/usr/bin/gopacer" "$work/passwd=/etc/passwd" "$work/group=/etc/group" "$work/nsswitch.conf=/etc/nsswitch.conf"
  /etc/ssl/certs/ca-certificates.crt=/etc/ssl/certs/ca-certificates.crt)

libraries=$(ldd "$work/gopacer")
grep -q 'not found' <<<"$libraries" && die "image: a library is missing: $(grep 'not found' <<<"$libraries")"
# Names it asks for, and the loader, whose path stands in the program. Stripped, because some distributors leave symbols.
while read -r path; do
  copy=$work/${path##*/}
  strip --strip-unneeded -o "$copy" "$(readlink -f "$path")"
  chmod 755 "$copy"
  files+=("$copy=$path")
done < <(awk '$2 == "=>" {print $3} $1 ~ /^\// {print $1}' <<<"$libraries")

out=$CACHE/image/gopacer.tar
mkdir -p "${out%/*}"
python3 "$ROOT/tools/mkimage.py" "$out" "$reference" --user 65532:65532 "${files[@]}" -- /usr/bin/gopacer
size=$(($(stat -c %s "$out") / 1000000))
[ $size -lt $most ] || die "image: $size MB is more than the $most MB it may have; look at what ldd $program lists"
say "image: $reference, $size MB, $((${#files[@]} - 5)) libraries: $out"
echo "$out"
