package app

import (
	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/email"
	"github.com/avelto/convo/internal/domain/channel/messenger"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/slack"
	"github.com/avelto/convo/internal/domain/channel/sms"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/domain/channel/viber"
	"github.com/avelto/convo/internal/domain/channel/voice"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/domain/channel/whatsapp"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
)

// newProviders returns the channel types of this build.
func newProviders(guard *egress.Guard, parts Parts) provider.Registry {
	client := apiclient.New(guard)
	return provider.NewRegistry(
		website.Provider{},
		&telegram.Provider{Client: client},
		&sms.Provider{Client: client},
		&voice.Provider{Client: client},
		&slack.Provider{Client: client},
		&discord.Provider{Client: client, Guard: guard},
		&whatsapp.Provider{Client: client},
		&messenger.Provider{Client: client},
		&viber.Provider{Client: client},
		&email.Provider{Guard: guard, Reader: &extract.Runner{Binary: parts.ExtractBinary}, Log: parts.Log},
	)
}
