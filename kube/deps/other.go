package main

import (
	_ "github.com/beevik/ntp"
	_ "github.com/containerd/go-dmverity/pkg/verity"
	_ "github.com/coredns/coredns/coremain"
	_ "github.com/diskfs/go-diskfs"
	_ "github.com/google/go-containerregistry/pkg/v1/tarball"
	_ "github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/u-root/u-root/pkg/cpio"
	_ "github.com/ulikunitz/xz"
	_ "github.com/vishvananda/netlink"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/sys/unix"
	_ "sigs.k8s.io/yaml"
)
