//go:build !linux

package extract

// limitMemory leaves the bound to GOMEMLIMIT where the system has no better.
func limitMemory(uint64) error { return nil }
