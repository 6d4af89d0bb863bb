package httpapi_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/testing/apitest"
)

// addresses is a server with the channel types of this build, connected to simulators.
type addresses struct {
	*apitest.Server

	token string
	agent uuid.UUID
	set   *simulator.Set
}

func setupAddresses(t *testing.T) *addresses {
	t.Helper()
	f := &addresses{Server: apitest.New(t, apitest.Options{Workers: true, PublicURL: true})}
	serves := httptest.NewUnstartedServer(nil)
	var err error
	f.set, err = simulator.NewSet(t.Context(), "http://"+serves.Listener.Addr().String(), http.DefaultClient)
	require.NoError(t, err)
	t.Cleanup(f.set.Close)
	serves.Config.Handler = f.set
	serves.Start()
	t.Cleanup(serves.Close)
	f.token = f.Token(t, f.Workspace(t, "shop"))
	f.agent = apitest.Decode[api.AgentDetail](t, f.Post(t, f.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	return f
}

// elsewhere is a server that someone would like to have credentials sent to. calls counts its
// requests.
func elsewhere(t *testing.T) (at string, calls *atomic.Int64) {
	t.Helper()
	calls = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

// create connects a channel to its simulator.
func (f *addresses) create(t *testing.T, kind api.ChannelType) (api.ChannelDetail, map[string]string) {
	t.Helper()
	control, ok := f.set.Control(kind)
	require.True(t, ok)
	settings := control.Settings()
	return apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", map[string]any{
		"type": kind, "name": "Shop", "agentId": f.agent, "apiBaseUrl": control.URL, "config": settings.Config, "credentials": settings.Credentials,
	}).Want(t, http.StatusCreated)), settings.Credentials
}

// requireAgain requires that a change is rejected until these credentials are set again.
func (f *addresses) requireAgain(t *testing.T, channelID uuid.UUID, change map[string]any, setting string, credentials map[string]string, calls *atomic.Int64) {
	t.Helper()
	path := "/channels/" + channelID.String()
	before := f.Get(t, f.token, path).Want(t, http.StatusOK).Body
	refused := func(change map[string]any, want ...string) {
		var got []string
		for _, one := range *f.Patch(t, f.token, path, change).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed).Errors {
			require.Equal(t, "must be set again, because "+setting+" changes where it is sent", one.Message)
			got = append(got, strings.TrimPrefix(one.Location, "body.credentials."))
		}
		require.Equal(t, want, got)
	}
	names := slices.Sorted(maps.Keys(credentials))
	refused(change, names...)
	if len(names) > 1 {
		partly := maps.Clone(change)
		partly["credentials"] = map[string]string{names[0]: credentials[names[0]]}
		refused(partly, names[1:]...)
	}
	require.Equal(t, string(before), string(f.Get(t, f.token, path).Want(t, http.StatusOK).Body), "nothing was stored")
	f.Post(t, f.token, path+"/check", nil).Want(t, http.StatusOK)
	require.Zero(t, calls.Load(), "the other server got nothing")
	change["credentials"] = credentials
	f.Patch(t, f.token, path, change).Want(t, http.StatusOK)
}

// TestStoredCredentialsAreNotSentToAnotherServer: anyone who may change channels may not read
// their credentials.
func TestStoredCredentialsAreNotSentToAnotherServer(t *testing.T) {
	t.Parallel()
	f := setupAddresses(t)
	for _, kind := range f.set.Types {
		created, credentials := f.create(t, kind)
		if kind == api.ChannelTypeTELEGRAM {
			delete(credentials, "hookSecret") // generated if it is absent
		}
		other, calls := elsewhere(t)
		f.requireAgain(t, created.ID, map[string]any{"apiBaseUrl": other}, "apiBaseUrl", credentials, calls)
		if kind != api.ChannelTypeEMAIL { // it calls no API
			require.Positive(t, calls.Load(), "%s: with its credentials the channel moves", kind)
		}
		f.Patch(t, f.token, "/channels/"+created.ID.String(), map[string]any{"apiBaseUrl": other + "/"}).Want(t, http.StatusOK)
		f.Patch(t, f.token, "/channels/"+created.ID.String(), `{"apiBaseUrl":null,"status":"DISABLED"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

func TestServersInAConfigGetNoStoredCredentials(t *testing.T) {
	t.Parallel()
	f := setupAddresses(t)
	bot, token := f.create(t, api.ChannelTypeDISCORD)
	for range 2 {
		other, calls := elsewhere(t)
		gateway := map[string]any{"gatewayUrl": "ws" + strings.TrimPrefix(other, "http")}
		f.requireAgain(t, bot.ID, map[string]any{"config": gateway}, "config.gatewayUrl", token, calls)
		f.Patch(t, f.token, "/channels/"+bot.ID.String(), `{"config":{"gatewayUrl":null}}`).Want(t, http.StatusOK)
	}

	mail, _ := f.create(t, api.ChannelTypeEMAIL)
	path := "/channels/" + mail.ID.String()
	smtp, imap := map[string]string{"smtpUsername": "u", "smtpPassword": "secret"}, map[string]string{"imapUsername": "u", "imapPassword": "secret"}
	f.Patch(t, f.token, path, map[string]any{"credentials": smtp}).Want(t, http.StatusOK)
	f.Patch(t, f.token, path, map[string]any{"credentials": imap}).Want(t, http.StatusOK)
	at := func(host string, port int, security string) map[string]any {
		return map[string]any{"host": host, "port": port, "security": security}
	}
	for _, server := range []struct {
		name        string
		credentials map[string]string
	}{{"smtp", smtp}, {"imap", imap}} {
		for _, one := range []struct {
			setting string
			value   map[string]any
		}{
			{"security", at("127.0.0.1", 1, "tls")}, {"port", at("127.0.0.1", 2, "tls")}, {"host", at("localhost", 2, "tls")}, {"security", at("localhost", 2, "none")},
		} {
			f.requireAgain(t, mail.ID, map[string]any{"config": map[string]any{server.name: one.value}}, "config."+server.name+"."+one.setting, server.credentials, new(atomic.Int64))
		}
	}
	same := at("localhost", 2, "none")
	same["mailbox"] = "Support"
	f.Patch(t, f.token, path, map[string]any{"config": map[string]any{"imap": same, "fromName": "Shop 2"}}).Want(t, http.StatusOK)
	f.Patch(t, f.token, path, `{"config":{"imap":null}}`).Want(t, http.StatusOK)
}
