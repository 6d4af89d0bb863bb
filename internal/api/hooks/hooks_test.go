package hooks_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const botToken = "123456:AAE-never-shown-anywhere-0123456789"

// botAPI is Telegram's Bot API as far as it is used.
type botAPI struct {
	*httptest.Server

	mu     sync.Mutex
	secret string            // of setWebhook
	hook   string            // of setWebhook
	sent   []json.RawMessage // of sendMessage
}

func newBotAPI(t *testing.T) *botAPI {
	t.Helper()
	b := &botAPI{}
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.Close)
	return b
}

func (b *botAPI) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.URL.Path == "/file/bot"+botToken+"/photos/file_0.jpg" {
		_, _ = io.WriteString(w, "the bytes of a photo")
		return
	}
	body, _ := io.ReadAll(r.Body)
	result := "true"
	switch strings.TrimPrefix(r.URL.Path, "/bot"+botToken) {
	case "/getMe":
		result = `{"id":123456,"is_bot":true,"first_name":"Shop","username":"shop_bot"}`
	case "/setWebhook":
		var in struct {
			URL    string `json:"url"`
			Secret string `json:"secret_token"`
		}
		_ = json.Unmarshal(body, &in)
		b.hook, b.secret = in.URL, in.Secret
	case "/sendMessage":
		b.sent = append(b.sent, body)
		result = fmt.Sprintf(`{"message_id":%d,"date":1441645600,"chat":{"id":1111,"type":"private"},"text":"x"}`, 2000+len(b.sent))
	case "/getFile":
		result = `{"file_id":"large","file_unique_id":"u","file_size":20,"file_path":"photos/file_0.jpg"}`
	case "/deleteWebhook", "/sendChatAction":
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"ok":false,"error_code":404,"description":"Not Found"}`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true,"result":`+result+`}`)
}

func (b *botAPI) texts(t *testing.T) (texts []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, raw := range b.sent {
		var in struct {
			Text string `json:"text"`
		}
		require.NoError(t, json.Unmarshal(raw, &in))
		texts = append(texts, in.Text)
	}
	return texts
}

// shop is a workspace with a connected bot.
type shop struct {
	*apitest.Server

	bot     *botAPI
	token   string
	agent   uuid.UUID
	channel api.ChannelDetail
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{Server: apitest.New(t, apitest.Options{Workers: true, PublicURL: true}), bot: newBotAPI(t)}
	s.token = s.Token(t, s.Workspace(t, "shop"))
	s.agent = apitest.Decode[api.AgentDetail](t, s.Post(t, s.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	s.channel = s.connect(t)
	return s
}

// connect creates a channel of the bot.
func (s *shop) connect(t *testing.T) api.ChannelDetail {
	t.Helper()
	created := apitest.Decode[api.ChannelDetail](t, s.Post(t, s.token, "/channels", map[string]any{
		"type": "TELEGRAM", "name": "Shop", "agentId": s.agent, "apiBaseUrl": s.bot.URL, "credentials": map[string]string{"botToken": botToken},
	}).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusCONNECTED, created.Status, "%+v", created.Error)
	require.Equal(t, *created.HookURL, s.bot.hook)
	return created
}

// update sends an update as Telegram does.
func (s *shop) update(t *testing.T, secret, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Origin+"/hooks/"+s.channel.ID.String(), strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, text, "nothing is explained to a sender")
	return response.StatusCode
}

func message(id int, content string) string {
	return fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"from":{"id":1111,"is_bot":false,"first_name":"Anna","username":"anna"},`+
		`"chat":{"id":1111,"type":"private","first_name":"Anna"},"date":1441645532,%s}}`, id, id, content)
}

func (s *shop) conversations(t *testing.T) []api.Conversation {
	t.Helper()
	return apitest.Decode[[]api.Conversation](t, s.Get(t, s.token, "/conversations?channelId="+s.channel.ID.String()).Want(t, http.StatusOK))
}

func (s *shop) messages(t *testing.T, conversation uuid.UUID) []api.Message {
	t.Helper()
	return apitest.Decode[[]api.Message](t, s.Get(t, s.token, "/conversations/"+conversation.String()+"/messages?order=asc").Want(t, http.StatusOK))
}

// TestAConversationOverTelegram is one from the first message to the delivered reply, with
// the webhooks that it causes.
func TestAConversationOverTelegram(t *testing.T) {
	t.Parallel()
	s, receiver := openShop(t), apitest.NewReceiver(t, nil)
	hook := apitest.Decode[api.WebhookCreated](t, s.Post(t, s.token, "/integrations/webhook", map[string]any{
		"type": "WEBHOOK", "url": receiver.URL,
		"events": []string{"contact.created", "conversation.created", "conversation.handed_off", "message.created", "message.delivery_changed"},
	}).Want(t, http.StatusCreated))

	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(1365, `"text":"Do you have size 42?"`)))
	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(1365, `"text":"Do you have size 42?"`)), "sent again")
	found := s.conversations(t)
	require.Len(t, found, 1)
	conversation := found[0].ID
	require.Equal(t, "Do you have size 42?", s.messages(t, conversation)[0].Content)

	path := "/conversations/" + conversation.String()
	s.Post(t, s.token, path+"/hand-off", `{}`).Want(t, http.StatusOK)
	reply := apitest.Decode[api.Message](t, s.Post(t, s.token, path+"/operator-message", `{"content":"Yes, we do."}`).Want(t, http.StatusCreated))
	events := receiver.WaitFor(t, 6)
	var types []string
	for _, one := range events {
		one.VerifySignatures(t, *hook.SigningSecret)
		types = append(types, one.Type)
	}
	require.ElementsMatch(t, []string{
		"contact.created", "conversation.created", "message.created", "conversation.handed_off", "message.created", "message.delivery_changed",
	}, types)
	require.Equal(t, []string{"Yes, we do."}, s.bot.texts(t))
	all := s.messages(t, conversation)
	require.Len(t, all, 2)
	require.Equal(t, reply.ID, all[1].ID)
	require.Equal(t, api.DeliveryStatusSENT, all[1].DeliveryStatus)
	require.Equal(t, "1111:2001", *all[1].ExternalID)
	require.NotContains(t, s.LogText(), botToken)
	require.NotContains(t, s.LogText(), s.bot.secret)
}

func TestFilesOfMessagesAreFetched(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(7, `"caption":"this one","photo":[{"file_id":"small","file_size":10},{"file_id":"large","file_size":20}]`)))
	conversation := s.conversations(t)[0].ID
	var attachment api.Attachment
	require.Eventually(t, func() bool {
		attachment = (*s.messages(t, conversation)[0].Attachments)[0]
		return attachment.State == api.AttachmentStateSTORED
	}, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, api.AttachmentTypeIMAGE, attachment.Type)
	content := s.Get(t, s.token, "/attachments/"+attachment.ID.String()).Want(t, http.StatusOK)
	require.Equal(t, "the bytes of a photo", string(content.Body))
	require.Equal(t, "nosniff", content.Header.Get("X-Content-Type-Options"))
}

// TestHooksRevealNothing sends what is not from the provider. No response says more than
// its status.
func TestHooksRevealNothing(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	require.Equal(t, http.StatusUnauthorized, s.update(t, "a-wrong-secret-0123456789", message(1, `"text":"x"`)))
	require.Equal(t, http.StatusBadRequest, s.update(t, s.bot.secret, `{"update_id":`))
	require.Empty(t, s.conversations(t))
	require.Equal(t, http.StatusRequestEntityTooLarge, s.update(t, s.bot.secret, message(1, `"text":"`+strings.Repeat("x", 1<<20)+`"`)))
	known := s.channel.ID
	s.channel.ID = uuid.New()
	require.Equal(t, http.StatusNotFound, s.update(t, s.bot.secret, message(1, `"text":"x"`)))
	s.channel.ID = known
	s.Patch(t, s.token, "/channels/"+known.String(), `{"status":"DISABLED"}`).Want(t, http.StatusOK)
	require.Equal(t, http.StatusNotFound, s.update(t, s.bot.secret, message(1, `"text":"x"`)), "a disabled channel receives nothing")
	for path, want := range map[string]int{"/hooks/": http.StatusNotFound, "/hooks/x": http.StatusNotFound, "/hooks/" + known.String() + "/x": http.StatusNotFound} {
		response, err := http.Get(s.Origin + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode, path)
	}
}

// TestForgeriesAreLimitedAndProvidersAreNot sends to a channel what is not authentic, and to
// channels that do not exist, until that is limited. The provider shares the address.
func TestForgeriesAreLimitedAndProvidersAreNot(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(1, `"text":"x"`)))
	known, second := s.channel.ID, s.connect(t)
	statuses := map[int]int{}
	for range 125 {
		statuses[s.update(t, "a-wrong-secret-0123456789", message(2, `"text":"x"`))]++
	}
	require.Equal(t, map[int]int{http.StatusUnauthorized: 120, http.StatusTooManyRequests: 5}, statuses)
	s.channel = second
	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(3, `"text":"x"`)), "another channel receives from that address")
	clear(statuses)
	for range 605 {
		s.channel.ID = uuid.New()
		statuses[s.update(t, s.bot.secret, message(4, `"text":"x"`))]++
	}
	require.Equal(t, map[int]int{http.StatusNotFound: 600, http.StatusTooManyRequests: 5}, statuses)
	s.channel = second
	require.Equal(t, http.StatusOK, s.update(t, s.bot.secret, message(5, `"text":"x"`)), "as do channels that have received before")
	s.Clock.Advance(time.Minute)
	s.channel.ID = known
	require.Equal(t, http.StatusUnauthorized, s.update(t, "a-wrong-secret-0123456789", message(6, `"text":"x"`)))
}
