package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/alecthomas/kong"
)

// describeCommand prints all commands and their flags as JSON. scripts/reference
// generates the reference documentation from it.
type describeCommand struct{}

// commandDescription is one command in the output of convo describe.
type commandDescription struct {
	Name      string            `json:"name"` // with its parents: convo token create
	Help      string            `json:"help"`
	Arguments []flagDescription `json:"arguments"`
	Flags     []flagDescription `json:"flags"`
}

// flagDescription is a flag or a positional argument of a command.
type flagDescription struct {
	Name     string   `json:"name"`
	Env      []string `json:"env,omitempty"`
	Help     string   `json:"help"`
	Default  string   `json:"default,omitempty"`
	Switch   bool     `json:"switch,omitempty"` // takes no value
	Required bool     `json:"required,omitempty"`
}

// Run implements the command.
func (*describeCommand) Run(k *kong.Context) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(describe(k.Model)); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	return nil
}

// describe returns the visible commands that can be run, in the order of the help.
func describe(model *kong.Application) []commandDescription {
	var all []commandDescription
	for _, leaf := range model.Leaves(true) {
		one := commandDescription{Name: leaf.FullPath(), Help: leaf.Help, Arguments: []flagDescription{}, Flags: []flagDescription{}}
		for _, value := range leaf.Positional {
			one.Arguments = append(one.Arguments, describeValue(value, nil))
		}
		for _, flag := range leaf.Flags {
			if !flag.Hidden {
				one.Flags = append(one.Flags, describeValue(flag.Value, flag.Envs))
			}
		}
		all = append(all, one)
	}
	return all
}

func describeValue(value *kong.Value, envs []string) flagDescription {
	return flagDescription{
		Name: value.Name, Env: envs, Help: value.Help, Default: value.Default,
		Switch: value.Target.Kind() == reflect.Bool, Required: value.Required,
	}
}
