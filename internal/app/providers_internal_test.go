package app

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/openapi"
)

// namesAddress matches settings that may say where something is sent.
var namesAddress = regexp.MustCompile(`(?i)(ur[il]|host|port|server|endpoint|address|origins?|domain|proxy|security|tls)$`)

// noCredentials are settings with such a name to which no credentials are sent.
var noCredentials = []string{"WEBSITE allowedOrigins", "EMAIL fromAddress", "EMAIL replyAddress", "EMAIL dkim domain"}

// TestEachAddressOfAChannelTypeIsDeclared looks for addresses in the configs of all channel
// types: a change of one must not send stored credentials elsewhere.
func TestEachAddressOfAChannelTypeIsDeclared(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(openapi.JSON)
	require.NoError(t, err)
	declared, found := []string{}, slices.Clone(noCredentials)
	for kind, one := range newProviders(egress.NewGuard(nil), Parts{}) {
		for _, address := range one.Addresses() {
			require.NotEmpty(t, address.Credentials)
			declared = append(declared, string(kind)+" "+strings.Join(address.Setting, " "))
		}
	}
	for _, create := range document.Components.Schemas["ChannelCreate"].Value.OneOf {
		kind, _ := create.Value.Properties["type"].Value.Const.(string)
		require.NotEmpty(t, kind)
		if config, ok := create.Value.Properties["config"]; ok {
			found = append(found, addressesIn(kind, config.Value)...)
		}
	}
	slices.Sort(found)
	require.ElementsMatch(t, found, append(declared, noCredentials...))
}

// addressesIn are the paths of settings that look like addresses.
func addressesIn(path string, schema *openapi3.Schema) (found []string) {
	for name, property := range schema.Properties {
		at := path + " " + name
		uri := property.Value.Format == "uri" || property.Value.Format == "hostname"
		switch {
		case len(property.Value.Properties) > 0:
			found = append(found, addressesIn(at, property.Value)...)
		case (uri || namesAddress.MatchString(name)) && !slices.Contains(noCredentials, at):
			found = append(found, at)
		}
	}
	return found
}
