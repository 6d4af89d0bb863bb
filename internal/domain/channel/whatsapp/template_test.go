package whatsapp_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
)

// simulated is a channel at a simulator.
func simulated(t *testing.T) provider.Channel {
	t.Helper()
	sim := simulator.NewWhatsApp()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	settings := sim.Settings()
	return provider.Channel{Config: settings.Config, Credentials: settings.Credentials, APIBaseURL: server.URL}
}

func TestApprovedTemplatesAreListed(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), simulated(t)
	var all []provider.Template
	pages, after := 0, ""
	for ; pages == 0 || after != ""; pages++ {
		found, next, err := p.Templates(t.Context(), c, after, 2)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), 2)
		all, after = append(all, found...), next
	}
	require.Equal(t, 3, pages)
	require.Len(t, all, 5, "without the one that was rejected")
	require.Equal(t, provider.Template{
		Name: "order_update", Language: "en", Category: "UTILITY", Status: "APPROVED", Body: "Hello {{1}}, your order {{2}} is on its way. Thank you, {{1}}!",
	}, all[0])
	require.True(t, all[2].Named)
	require.True(t, all[4].Unsendable, "it needs an image")
	_, _, err := p.Templates(t.Context(), c, "another", 2)
	require.ErrorContains(t, err, "Invalid cursor")
	c.Credentials = map[string]string{"accessToken": "revoked"}
	_, _, err = p.Templates(t.Context(), c, "", 2)
	var failed *provider.SendError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, provider.Credentials, failed.Kind)
}

func TestATemplateIsFoundByItsWholeNameAndLanguage(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), simulated(t)
	found, ok, err := p.Template(t.Context(), c, "order_update", "pl")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "pl", found.Language)
	for name, language := range map[string]string{"order_update": "de", "order": "en", "free_money": "en"} {
		_, ok, err := p.Template(t.Context(), c, name, language)
		require.NoError(t, err)
		require.False(t, ok, name)
	}
}

// TestTemplatesThatNeedMoreThanTheirBodyAreNotSendable: the API has values of the body alone.
func TestTemplatesThatNeedMoreThanTheirBodyAreNotSendable(t *testing.T) {
	t.Parallel()
	for components, sendable := range map[string]bool{
		``: true,
		`,{"type":"HEADER","format":"TEXT","text":"News"},{"type":"FOOTER","text":"Shop"}`:                true,
		`,{"type":"HEADER","format":"TEXT","text":"News for {{1}}"}`:                                      false,
		`,{"type":"HEADER","format":"DOCUMENT"}`:                                                          false,
		`,{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY"},{"type":"URL","url":"https://x.example"}]}`: true,
		`,{"type":"BUTTONS","buttons":[{"type":"URL","url":"https://x.example/{{1}}"}]}`:                  false,
		`,{"type":"BUTTONS","buttons":[{"type":"OTP"}]}`:                                                  false,
		`,{"type":"CAROUSEL"}`: false,
	} {
		c := cloud(t, `{"data":[{"name":"a","language":"en","components":[{"type":"BODY","text":"Hi"}`+components+`]}]}`)
		found, _, err := newProvider(t).Templates(t.Context(), c, "", 1)
		require.NoError(t, err)
		require.Equal(t, sendable, !found[0].Unsendable, components)
	}
}

func TestTemplatesNeedABusinessAccount(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	require.True(t, p.RulesFor(simulated(t).Config).Templates)
	require.False(t, p.RulesFor([]byte(`{"phoneNumberId":"1"}`)).Templates)
	require.False(t, p.Rules().Templates)
}
