package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the release build. If empty, the module version is printed.
var version = ""

type versionCommand struct{}

// Run implements the command.
func (*versionCommand) Run() error {
	number := version
	if info, ok := debug.ReadBuildInfo(); ok && number == "" {
		number = info.Main.Version
	}
	fmt.Printf("convo %s (%s %s/%s)\n", number, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
