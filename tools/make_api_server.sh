#!/usr/bin/env bash
# Build Kubernetes' API server into build/kubernetes, once, for tests: tools/make_api_server.sh
# Needs Go and etcd (Debian's etcd-server); it takes about 5 minutes on two cores.
set -euo pipefail
version=1.32.13
place=$(cd "$(dirname "$0")/.." && pwd)/build/kubernetes
command -v etcd >/dev/null || { echo "etcd is absent. On Debian: apt-get install etcd-server" >&2; exit 2; }
command -v go >/dev/null || { echo "Go is absent: https://go.dev/doc/install" >&2; exit 2; }
[ -x "$place/kube-apiserver" ] && exit
mkdir -p "$place/module"
cd "$place/module"
# Kubernetes names its own parts by folders of its repository; as modules they are v0 of the same version.
go mod download -json "k8s.io/kubernetes@v$version" >download.json
described=$(sed -n 's/.*"GoMod": "\(.*\)",/\1/p' download.json)
{
    sed -e 's/^module .*/module server/' -e '/^replace (/,$d' "$described"
    echo "require k8s.io/kubernetes v$version"
    sed -n -E "s#^\s*(k8s\.io/[a-z-]+) => \./staging.*#replace \1 => \1 v0.${version#*.}#p" "$described"
} >go.mod
cat >parts.go <<'END'
//go:build parts

package server

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
END
part=k8s.io/component-base/version
CGO_ENABLED=0 GOFLAGS=-mod=mod go build -o "$place/kube-apiserver.part" \
    -ldflags "-s -w -X $part.gitVersion=v$version -X $part.gitMajor=1 -X $part.gitMinor=${version:2:2}" \
    k8s.io/kubernetes/cmd/kube-apiserver
mv "$place/kube-apiserver.part" "$place/kube-apiserver"
