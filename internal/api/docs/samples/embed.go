package samples

import "embed"

// Files are the programs as they are shown: verify.ts, verify.go and verify.py.
//
//go:embed verify.ts verify.go verify.py
var Files embed.FS
