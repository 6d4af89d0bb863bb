package provider

import (
	"encoding/json"

	api "github.com/avelto/convo/gen/api/model"
)

// defaultMaxLength is the longest text in characters where no provider limits it: that of
// an operator's message.
const defaultMaxLength = 4096

// Registry holds the providers of this server by channel type.
type Registry map[api.ChannelType]Provider

// NewRegistry returns a registry of providers.
func NewRegistry(providers ...Provider) Registry {
	r := make(Registry, len(providers))
	for _, one := range providers {
		r[one.Type()] = one
	}
	return r
}

// Rules returns the rules of a channel type. A type without a provider has no limits of
// its own.
func (r Registry) Rules(kind api.ChannelType) Rules {
	if found, ok := r[kind]; ok {
		return found.Rules()
	}
	return Rules{MaxLength: defaultMaxLength}
}

// RulesFor returns the rules of a channel of a type with this config.
func (r Registry) RulesFor(kind api.ChannelType, config json.RawMessage) Rules {
	if configurable, ok := r[kind].(Configurable); ok {
		return configurable.RulesFor(config)
	}
	return r.Rules(kind)
}
