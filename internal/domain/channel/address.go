package channel

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// withhold removes stored credentials that would be sent to another address than before, unless
// the change sets them again. Anyone who may change a channel may not read its credentials, and
// could otherwise have them sent to a server of their own.
func (s *Service) withhold(before db.Channel, in *Settings, change Change) error {
	moved, err := s.moved(before, *in)
	if err != nil {
		return err
	}
	in.withheld = map[string]string{}
	for name, setting := range moved {
		_, again := change.Credentials[name]
		if _, stored := in.Credentials[name]; stored && !again {
			in.withheld[name] = setting
			delete(in.Credentials, name)
		}
	}
	return nil
}

// moved returns the credentials that are sent to another address than before, with the name of
// the setting that says so. All belong to the base URL of the API, and some to addresses in the
// config. To an address that was removed nothing is sent.
func (s *Service) moved(before db.Channel, now Settings) (map[string]string, error) {
	moved := map[string]string{}
	if trimmed(before.APIBaseURL) != trimmed(now.APIBaseURL) {
		for name := range now.Credentials {
			moved[name] = "apiBaseUrl"
		}
	}
	kind, ok := s.Opener.Providers[before.Type]
	if !ok || string(before.Config) == string(now.Config) {
		return moved, nil
	}
	var from, to any
	if err := json.Unmarshal(before.Config, &from); err != nil {
		return nil, fmt.Errorf("stored config: %w", err)
	}
	if err := json.Unmarshal(now.Config, &to); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	for _, address := range kind.Addresses() {
		if at := setting(to, address.Setting); at != nil && !reflect.DeepEqual(at, setting(from, address.Setting)) {
			for _, name := range address.Credentials {
				moved[name] = "config." + strings.Join(address.Setting, ".")
			}
		}
	}
	return moved, nil
}

// setting returns the value at a path in a JSON object, nil if there is none.
func setting(in any, path []string) any {
	for _, name := range path {
		object, ok := in.(map[string]any)
		if !ok {
			return nil
		}
		in = object[name]
	}
	return in
}

// trimmed is a base URL as it is stored, "" for the provider's own.
func trimmed(baseURL *string) string {
	if baseURL == nil {
		return ""
	}
	return strings.TrimRight(*baseURL, "/")
}

// missing names the credentials that must be set again. Those that the provider generates are
// not among them.
func (in Settings) missing() (invalid []provider.Invalid) {
	for _, name := range slices.Sorted(maps.Keys(in.withheld)) {
		if _, ok := in.Credentials[name]; !ok {
			invalid = append(invalid, provider.Invalid{
				Pointer: "/credentials/" + name, Message: "must be set again, because " + in.withheld[name] + " changes where it is sent",
			})
		}
	}
	return invalid
}
