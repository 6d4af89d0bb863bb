package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// withoutValues removes the values of settings from an error of the command line: a
// password that was put into the wrong variable must not be printed.
func withoutValues(err error, model *kong.Application) error {
	text := err.Error()
	setting := ""
	for _, name := range variables(model.Node) {
		source := fmt.Sprintf(" (from envar %s=%q)", name, os.Getenv(name))
		if rest, ok := strings.CutSuffix(text, source); ok {
			text, setting = rest, name+": "
		}
	}
	for _, before := range []string{" but got ", "; perhaps try ", " argument \""} {
		text, _, _ = strings.Cut(text, before)
	}
	return errors.New(setting + text)
}

// variables returns the environment variables of all flags.
func variables(node *kong.Node) (names []string) {
	for _, flag := range node.Flags {
		names = append(names, flag.Envs...)
	}
	for _, child := range node.Children {
		names = append(names, variables(child)...)
	}
	return names
}
