// Package configs has the example machine configs.
package configs

import "embed"

// Examples are machine*.yaml.
//
//go:embed machine*.yaml
var Examples embed.FS
