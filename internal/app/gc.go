package app

import "runtime/debug"

const (
	// startGCPercent keeps the start small, which reads the whole document: what is
	// most in memory at once would be there, and not under load.
	startGCPercent = 30
	// gcPercent trades memory for time: 7 MB stay and a request leaves some 10 KB
	// behind, so that collecting less often costs a few megabytes.
	gcPercent = 110
	// memoryLimit is where collecting gets more frequent again, in bytes.
	memoryLimit = 1 << 30
)

// TuneStart is called before anything else: it keeps the start from taking more memory
// than the work after it. getenv is os.Getenv.
func TuneStart(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(startGCPercent)
	}
	_ = forgetBinary() // Slim says so where it cannot
}

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
