#!/usr/bin/env bash
# Makes the test clusters' certificates in DIR (about a second). They are good for 127.0.0.1 and for the test node only.
#   pki.sh DIR
. "$(dirname "$0")/lib.sh"
dir=$1
mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9
[ -f "$dir/done" ] && exit
rm -rf "$dir"
umask 077
mkdir -p "$dir"
cd "$dir"

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

authority() { # NAME
  openssl req -x509 "${new_key[@]}" -days 3650 -keyout "$1.key" -out "$1.crt" -subj "/CN=gopacer-test-$1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}

certificate() { # NAME AUTHORITY SUBJECT serverAuth|clientAuth [ALTERNATIVE_NAMES]
  openssl req -new "${new_key[@]}" -keyout "$1.key" -out "$1.csr" -subj "$3" 2>/dev/null
  {
    echo "basicConstraints=CA:FALSE"
    echo "keyUsage=critical,digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=$4"
    [ -z "${5:-}" ] || echo "subjectAltName=$5"
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

authority ca
authority front-proxy-ca
certificate apiserver ca /CN=kube-apiserver serverAuth \
  "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$node_ip,IP:$kubernetes_ip"
certificate apiserver-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
certificate kubelet-server ca "/O=system:nodes/CN=system:node:$node_name" serverAuth "DNS:$node_name,IP:$node_ip"
certificate metrics-server-server ca /CN=metrics-server serverAuth "DNS:metrics-server.kube-system.svc,IP:$node_ip"
certificate admin ca /O=system:masters/CN=admin clientAuth
certificate controller-manager ca /CN=system:kube-controller-manager clientAuth
certificate scheduler ca /CN=system:kube-scheduler clientAuth
certificate kubelet ca "/O=system:nodes/CN=system:node:$node_name" clientAuth
certificate proxy ca /CN=system:kube-proxy clientAuth
certificate metrics-server ca /CN=system:serviceaccount:kube-system:metrics-server clientAuth
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.key 2>/dev/null
openssl pkey -in sa.key -pubout -out sa.pub
touch done
