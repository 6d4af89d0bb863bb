package app

import (
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// newProviders returns the channel types of this build.
func newProviders(guard *egress.Guard) provider.Registry {
	client := apiclient.New(guard)
	return provider.NewRegistry(
		website.Provider{},
		&telegram.Provider{Client: client},
	)
}
