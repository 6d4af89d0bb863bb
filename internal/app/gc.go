package app

import "runtime/debug"

const (
	// gcPercent trades memory for time: 7 MB stay and a request leaves some 10 KB
	// behind, so that collecting less often costs a few megabytes.
	gcPercent = 130
	// memoryLimit is where collecting gets more frequent again, in bytes.
	memoryLimit = 1 << 30
)

// TuneGC sets the garbage collector for this server, where the operator has not
// done so by GOGC or GOMEMLIMIT; getenv is os.Getenv.
func TuneGC(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
