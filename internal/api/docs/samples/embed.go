package samples

import "embed"

// Files holds the source of the samples: verify.ts, verify.go and verify.py.
//
//go:embed verify.ts verify.go verify.py
var Files embed.FS
